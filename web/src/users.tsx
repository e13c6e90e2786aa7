// The accounts of the service, for admins.

import { useEffect, useRef, useState } from "preact/hooks";
import { s } from "./account-strings";
import { changeAccount, listUsers } from "./accounts";
import type { Account } from "./accounts";
import type { Problem, User } from "./api";
import { ago, bytes, when } from "./format";
import { t } from "./strings";
import { Dialog, Field, Icon, Menu, Name, ProblemNote, problemFrom } from "./ui/base";
import type { Action } from "./ui/base";
import { Confirm } from "./ui/confirm";
import { Pages, usePages } from "./ui/pages";

const u = s.users;
const SEARCH_MS = 250;

type Kind = "limits" | "promote" | "demote" | "disable" | "enable";

/** What a question asks, and the change that it is about. */
const QUESTIONS = {
  promote: {
    title: u.promoteTitle,
    text: u.promoteText,
    label: u.actions.promote,
    change: { role: "admin" },
  },
  demote: { title: u.demoteTitle, text: u.demoteText, label: u.actions.demote, change: { role: "user" } },
  disable: {
    title: u.disableTitle,
    text: u.disableText,
    label: u.actions.disable,
    change: { disabled: true },
  },
  enable: { title: u.enableTitle, text: u.enableText, label: u.actions.enable, change: { disabled: false } },
} as const;

export function Users({ user }: { user: User }) {
  const [search, setSearch] = useState("");
  const [wanted, setWanted] = useState("");
  const pages = usePages<Account>((cursor, signal) => listUsers(wanted, cursor, signal), wanted);
  const [opened, setOpened] = useState<{ kind: Kind; account: Account } | null>(null);
  const [message, setMessage] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setWanted(search.trim()), SEARCH_MS);
    return () => clearTimeout(timer);
  }, [search]);
  const close = () => setOpened(null);
  const change = async (account: Account, body: Parameters<typeof changeAccount>[1]) => {
    const changed = await changeAccount(account.id, body);
    pages.change(changed.id, changed);
    setMessage(u.changed(changed.username));
  };
  const actionsFor = (account: Account): Action[] => {
    const action = (kind: Kind, rest: Partial<Action> = {}): Action => ({
      label: u.actions[kind],
      ...rest,
      run: () => {
        setMessage("");
        setOpened({ kind, account });
      },
    });
    return [
      action("limits"),
      account.role === "admin" ? action("demote") : action("promote"),
      account.disabledAt
        ? action("enable", { isGroup: true })
        : action("disable", { isGroup: true, isDangerous: true }),
    ];
  };
  return (
    <section class="stack" aria-labelledby="users">
      <h3 id="users">{u.title}</h3>
      <div class="search" role="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label={u.search}
          placeholder={u.search}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <Pages
        pages={pages}
        label={u.list}
        empty={<p class="muted">{wanted ? u.noMatch : u.empty}</p>}
        more={u.more}
      >
        {(account) => (
          <li key={account.id}>
            <Row account={account} isOwn={account.id === user.id} actions={actionsFor(account)} />
          </li>
        )}
      </Pages>
      <p role="status">{message}</p>
      {opened?.kind === "limits" && (
        <LimitsDialog
          account={opened.account}
          onSave={(body) => change(opened.account, body)}
          onClose={close}
        />
      )}
      {opened && opened.kind !== "limits" && (
        <Confirm
          title={QUESTIONS[opened.kind].title(opened.account.username)}
          text={QUESTIONS[opened.kind].text}
          label={QUESTIONS[opened.kind].label}
          isDangerous={opened.kind === "disable"}
          run={() => change(opened.account, QUESTIONS[opened.kind as Exclude<Kind, "limits">].change)}
          onClose={close}
        />
      )}
    </section>
  );
}

// --- One account ------------------------------------------------------------------------------------------------------

function Row({ account, isOwn, actions }: { account: Account; isOwn: boolean; actions: Action[] }) {
  const { username, email, role, createdAt, disabledAt, quotaBytes, usedBytes, files } = account;
  const hasQuota = typeof quotaBytes === "number";
  return (
    <div class="entry">
      <div>
        <p class="row">
          <strong>
            <Name>{username}</Name>
          </strong>
          {isOwn && <span class="muted small">{u.you}</span>}
          {role === "admin" && <span class="type">{u.admin}</span>}
        </p>
        {email && (
          <p class="small break">
            <bdi>{email}</bdi>
          </p>
        )}
        <p class="small muted">
          {hasQuota ? u.usage(bytes(usedBytes), bytes(quotaBytes)) : u.usageDefault(bytes(usedBytes))}
          {" · "}
          {u.files(files)}
          {" · "}
          <time dateTime={createdAt} title={when(createdAt)}>
            {u.joined(ago(createdAt))}
          </time>
        </p>
        {disabledAt && (
          <p class="small line warn">
            <Icon name="warn" /> <span title={when(disabledAt)}>{u.disabled(ago(disabledAt))}</span>
          </p>
        )}
      </div>
      <Menu label={u.menu(username)} actions={actions}>
        <Icon name="more" />
      </Menu>
    </div>
  );
}

// --- The limits -------------------------------------------------------------------------------------------------------

const GB = 1_000_000_000;
/** Larger numbers of bytes are no exact numbers in JSON. */
const MAX_GB = Math.floor(Number.MAX_SAFE_INTEGER / GB);

/** The limits that are numbers: how many units of the API a unit of the field has, and the steps and the end of the field. */
const LIMITS = [
  { member: "quotaBytes", unit: GB, step: "any", max: MAX_GB },
  { member: "quotaFiles", unit: 1, step: "1", max: Number.MAX_SAFE_INTEGER },
  { member: "purgeAllowanceBytes", unit: GB, step: "any", max: MAX_GB },
  { member: "budgetUsd", unit: 1, step: "0.000001", max: 1_000_000_000 },
] as const;
type Member = (typeof LIMITS)[number]["member"];

interface LimitsProps {
  account: Account;
  onSave: (change: Parameters<typeof changeAccount>[1]) => Promise<unknown>;
  onClose: () => void;
}

function LimitsDialog({ account, onSave, onClose }: LimitsProps) {
  const { username, usedBytes } = account;
  const shown = (member: Member, unit: number): string => {
    const value = account[member];
    return typeof value === "number" ? String(value / unit) : "";
  };
  const [texts, setTexts] = useState(() =>
    Object.fromEntries(LIMITS.map(({ member, unit }) => [member, shown(member, unit)])),
  );
  const [when, setWhen] = useState(account.whenBudgetSpent ?? "warn");
  const [wrong, setWrong] = useState<Member | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const fields = useRef<Partial<Record<Member, HTMLInputElement | null>>>({});
  const text = (member: Member): string => (texts[member] ?? "").trim();
  const isLow = text("quotaBytes") !== "" && Number(text("quotaBytes")) * GB < usedBytes;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    // A field for numbers is empty if its text is no number.
    const bad = LIMITS.find(({ member }) => !fields.current[member]?.validity.valid)?.member ?? null;
    setWrong(bad);
    if (bad) return fields.current[bad]?.focus();
    // Only what the admin has changed is sent, so a change by another admin stays.
    const change: Record<string, number | string | null> = {};
    for (const { member, unit } of LIMITS) {
      if (text(member) === shown(member, unit)) continue;
      const value = Number(text(member)) * unit;
      change[member] = text(member) === "" ? null : member === "budgetUsd" ? value : Math.round(value);
    }
    if (when !== (account.whenBudgetSpent ?? "warn")) change.whenBudgetSpent = when;
    if (Object.keys(change).length === 0) return onClose();
    setBusy(true);
    setProblem(null);
    try {
      await onSave(change);
      onClose();
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={u.limitsTitle(username)} onClose={onClose}>
      <form class="stack" noValidate onSubmit={submit}>
        {problem && <ProblemNote problem={problem} />}
        {LIMITS.map(({ member, step, max }, index) => (
          <Field
            key={member}
            label={u.limits[member].label}
            hint={u.limits[member].hint}
            error={wrong === member ? u.limits[member].error : undefined}
          >
            {(attributes) => (
              <input
                {...attributes}
                ref={(input) => void (fields.current[member] = input)}
                data-focus={index === 0 || undefined}
                type="number"
                min="0"
                max={max}
                step={step}
                inputMode="decimal"
                value={texts[member]}
                onInput={(event) => setTexts({ ...texts, [member]: event.currentTarget.value })}
              />
            )}
          </Field>
        ))}
        <Field label={u.whenSpent}>
          {(attributes) => (
            <select
              {...attributes}
              value={when}
              onChange={(event) => setWhen(event.currentTarget.value as typeof when)}
            >
              {(Object.keys(u.spent) as (keyof typeof u.spent)[]).map((value) => (
                <option key={value} value={value}>
                  {u.spent[value]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <p role="status" class="small muted">
          {isLow ? u.quotaLow(bytes(usedBytes)) : ""}
        </p>
        <p class="row end">
          <button type="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="primary" aria-busy={isBusy}>
            {t.save}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

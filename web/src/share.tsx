// Shares a file, and lists its shares. Loaded when it is first opened.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { FileView, Problem } from "./api";
import type { Cut } from "./cut";
import { ago, day, when } from "./format";
import * as sharing from "./sharing";
import type { Share, ShareRequest } from "./sharing";
import { sh } from "./share-strings";
import { t } from "./strings";
import {
  Dialog,
  Field,
  Icon,
  Menu,
  Name,
  ProblemNote,
  parseTags,
  problemFrom,
  useFormProblem,
} from "./ui/base";
import type { Action } from "./ui/base";
import { CopyButton } from "./ui/copy";
import { Pages, usePages } from "./ui/pages";

const f = sh.form;
const l = sh.list;

interface DialogProps {
  file: Pick<FileView, "id" | "filename">;
  /** The cut that is shown. Without it, only the whole file can be shared. */
  recipe?: Cut;
  onClose: () => void;
}

export function ShareDialog({ file, recipe, onClose }: DialogProps) {
  const [round, setRound] = useState(0);
  return (
    <Dialog
      title={
        <>
          {sh.title} <Name>{file.filename}</Name>
        </>
      }
      wide
      onClose={onClose}
    >
      <div class="stack wide-gap">
        <ShareForm file={file} recipe={recipe} onMade={() => setRound(round + 1)} />
        <section class="stack" aria-labelledby="shares-of-file">
          <h3 id="shares-of-file">{l.title}</h3>
          <ShareList key={round} fileId={file.id} empty={<p class="muted">{l.none}</p>} />
        </section>
      </div>
    </Dialog>
  );
}

// --- A new share ------------------------------------------------------------------------------------------------------------

interface FormProps {
  file: DialogProps["file"];
  recipe?: Cut;
  onMade: () => void;
}

type Kind = ShareRequest["kind"];

const present = (text: string): string | undefined => text.trim() || undefined;

/** The terms that every link has. */
interface Terms {
  expiresIn: number;
  maxUses: string;
  password: string;
  name: string;
}

const TERMS: Terms = { expiresIn: f.links[1]![0], maxUses: "", password: "", name: "" };

function ShareForm({ file, recipe, onMade }: FormProps) {
  const kinds: Kind[] = recipe ? ["cut", "download", "account"] : ["download", "account"];
  const [kind, setKind] = useState<Kind>(kinds[0]!);
  const [terms, setTerms] = useState(TERMS);
  const [account, setAccount] = useState({ username: "", may: "read", expiresIn: 0 });
  const isAccount = kind === "account";
  const { made, problem, isBusy, run, forget } = useMaking(onMade);
  const form = useRef<HTMLFormElement>(null);
  const fields = isAccount ? ["username", "name"] : ["maxUses", "password", "name"];
  const { note, errorOf } = useFormProblem(form, fields, problem);
  const body = (): ShareRequest => {
    if (isAccount) {
      const { username, may, expiresIn } = account;
      return {
        kind,
        username: username.trim(),
        may: may as "read" | "cut",
        ...(expiresIn > 0 && { expiresIn }),
        ...(present(terms.name) && { name: terms.name }),
      };
    }
    return {
      kind,
      ...(kind === "cut" && { recipe: recipe as ShareRequest["recipe"] }),
      ...linkTerms(terms),
    };
  };
  return (
    <form
      ref={form}
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void run(() => sharing.shareFile(file.id, body()));
      }}
    >
      <fieldset class="choices">
        <legend>{f.kind}</legend>
        {kinds.map((each, index) => (
          <label class="check choice">
            <input
              type="radio"
              name="share-kind"
              data-focus={index === 0 || undefined}
              checked={kind === each}
              onChange={() => {
                setKind(each);
                forget();
              }}
            />
            {f.kinds[each]}
          </label>
        ))}
      </fieldset>
      <p class="muted">
        {f.texts[kind]} {kind === "cut" && isWhole(recipe) && f.wholeFile}
        {kind === "download" && !recipe && (
          <>
            {f.onlyRows} <a href={`/cut?file=${encodeURIComponent(file.id)}`}>{f.openFile}</a>
          </>
        )}
      </p>
      {note && <ProblemNote problem={note} />}
      <div class="fields">
        {isAccount ? (
          <>
            <Field label={f.username} error={errorOf("username")}>
              {(a) => (
                <input
                  {...a}
                  required
                  autocomplete="off"
                  autocapitalize="none"
                  spellcheck={false}
                  value={account.username}
                  onInput={(event) => setAccount({ ...account, username: event.currentTarget.value })}
                />
              )}
            </Field>
            <Field label={f.may}>
              {(a) => (
                <select
                  {...a}
                  value={account.may}
                  onChange={(event) => setAccount({ ...account, may: event.currentTarget.value })}
                >
                  {Object.entries(f.mays).map(([value, label]) => (
                    <option value={value}>{label}</option>
                  ))}
                </select>
              )}
            </Field>
            <Seconds
              label={f.accountExpires}
              choices={f.accounts}
              value={account.expiresIn}
              onChange={(expiresIn) => setAccount({ ...account, expiresIn })}
            />
          </>
        ) : (
          <LinkFields terms={terms} errorOf={errorOf} usesLabel={f.maxUses} onChange={setTerms} />
        )}
        <Field label={f.name} hint={f.nameHint} error={errorOf("name")}>
          {(a) => (
            <input
              {...a}
              dir="auto"
              maxLength={255}
              value={terms.name}
              onInput={(event) => setTerms({ ...terms, name: event.currentTarget.value })}
            />
          )}
        </Field>
      </div>
      <button type="submit" class="primary" aria-busy={isBusy}>
        {isAccount ? f.share : f.make}
      </button>
      {isBusy && kind === "cut" && <progress aria-label={f.storing} />}
      <Made share={made} />
    </form>
  );
}

const isWhole = (recipe: Cut | undefined): boolean =>
  recipe !== undefined && !recipe.filter && !recipe.q && !recipe.columns;

const linkTerms = ({ expiresIn, maxUses, password, name }: Terms) => ({
  expiresIn,
  ...(maxUses && { maxUses: Number(maxUses) }),
  ...(password && { password }),
  ...(present(name) && { name }),
});

/** Makes one share at a time. */
function useMaking(onMade: () => void) {
  const [made, setMade] = useState<Share | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (work: () => Promise<Share>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setMade(null);
    try {
      setMade(await work());
      onMade();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const forget = () => {
    setMade(null);
    setProblem(null);
  };
  return { made, problem, isBusy, run, forget };
}

interface LinkFieldsProps {
  terms: Terms;
  errorOf: (name: string) => string | undefined;
  usesLabel: string;
  onChange: (terms: Terms) => void;
  usesHint?: string;
}

function LinkFields({ terms, errorOf, usesLabel, usesHint = f.maxUsesHint, onChange }: LinkFieldsProps) {
  return (
    <>
      <Seconds
        label={f.expires}
        choices={f.links}
        value={terms.expiresIn}
        onChange={(expiresIn) => onChange({ ...terms, expiresIn })}
      />
      <Field label={usesLabel} hint={usesHint || undefined} error={errorOf("maxUses")}>
        {(a) => (
          <input
            {...a}
            type="number"
            inputMode="numeric"
            min={1}
            max={1_000_000}
            step={1}
            required={!usesHint}
            value={terms.maxUses}
            onInput={(event) => onChange({ ...terms, maxUses: event.currentTarget.value })}
          />
        )}
      </Field>
      <Field label={f.password} hint={f.passwordHint} error={errorOf("password")}>
        {(a) => (
          <input
            {...a}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            minLength={8}
            value={terms.password}
            onInput={(event) => onChange({ ...terms, password: event.currentTarget.value })}
          />
        )}
      </Field>
    </>
  );
}

interface SecondsProps {
  label: string;
  choices: [number, string][];
  value: number;
  onChange: (seconds: number) => void;
}

const Seconds = ({ label, choices, value, onChange }: SecondsProps) => (
  <Field label={label}>
    {(a) => (
      <select {...a} value={value} onChange={(event) => onChange(Number(event.currentTarget.value))}>
        {choices.map(([seconds, words]) => (
          <option value={seconds}>{words}</option>
        ))}
      </select>
    )}
  </Field>
);

/** The link that was made. Its text has the focus, so that it can be copied at once. */
function Made({ share }: { share: Share | null }) {
  const root = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!share) return;
    root.current?.scrollIntoView({ block: "nearest" });
    const first = root.current?.querySelector("input");
    first?.focus({ preventScroll: true });
    first?.select();
  }, [share]);
  return (
    <div ref={root} role="status">
      {share && (
        <div class="note made">
          <Icon name="good" />
          <div class="stack">
            <strong>
              {share.kind === "account" ? sh.made.account(share.username ?? "") : sh.made.title}
            </strong>
            {share.pageUrl && share.url && (
              <>
                <p>{sh.made.text}</p>
                <Address label={sh.made.page} text={share.pageUrl} />
                <Address label={sh.made.url} text={share.url} />
              </>
            )}
          </div>
        </div>
      )}
    </div>
  );
}

const Address = ({ label, text }: { label: string; text: string }) => (
  <div class="address">
    <Field label={label}>
      {(a) => (
        <input {...a} class="mono" readOnly value={text} onFocus={(event) => event.currentTarget.select()} />
      )}
    </Field>
    <CopyButton text={text} label={l.copy} />
  </div>
);

// --- The list ---------------------------------------------------------------------------------------------------------------

interface ListProps {
  /** Only shares of this file and of its cuts. */
  fileId: string | null;
  empty: ComponentChildren;
}

export function ShareList({ fileId, empty }: ListProps) {
  const pages = usePages<Share>((cursor, signal) => sharing.listShares(fileId, cursor, signal), "");
  const [asked, setAsked] = useState<Share | null>(null);
  const replace = (share: Share) => pages.change(share.id, share);
  return (
    <div class="stack">
      <Pages pages={pages} class="shares" label={l.label} empty={empty} more={l.more}>
        {(share) => (
          <ShareRow
            key={share.id}
            share={share}
            hasFile={fileId === null}
            onChanged={replace}
            onRevoke={() => setAsked(share)}
          />
        )}
      </Pages>
      {asked && <RevokeDialog share={asked} onClose={() => setAsked(null)} onRevoked={replace} />}
    </div>
  );
}

function wordsOf({ kind, username, may }: Share): string {
  return kind === "account" ? l.account(username ?? "", may ?? "read") : (l.kinds[kind] ?? kind);
}

function factsOf(share: Share): string[] {
  const { kind, status, uses, maxUses, expiresAt, hasPassword } = share;
  const isOver = status === "revoked" || status === "expired";
  const used = kind === "upload" ? l.files(uses, maxUses ?? null) : l.uses(uses, maxUses ?? null);
  const end = expiresAt && Date.parse(expiresAt) <= Date.now() ? l.ended(ago(expiresAt)) : null;
  return [
    l.status[status],
    kind === "account" ? "" : used,
    isOver ? (end ?? "") : expiresAt ? l.ends(day(expiresAt)) : l.noEnd,
    hasPassword ? l.password : "",
  ].filter(Boolean);
}

interface RowProps {
  share: Share;
  hasFile: boolean;
  onChanged: (share: Share) => void;
  onRevoke: () => void;
}

function ShareRow({ share, hasFile, onChanged, onRevoke }: RowProps) {
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const { kind, status, pageUrl, url, fileId, filename, name, expiresAt } = share;
  const words = wordsOf(share);
  const label = [words, hasFile && filename, name].filter(Boolean).join(", ");
  const extend = async (seconds: number) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      const next = await sharing.setExpiry(share.id, seconds || null);
      onChanged(next);
      setSaid(next.url ? l.extendedLink : l.extended);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const copyUrl = () =>
    navigator.clipboard.writeText(url ?? "").then(
      () => setSaid(l.copied),
      () => setSaid(l.notCopied),
    );
  const choices = kind === "account" ? f.accounts : f.links;
  const actions: Action[] =
    status === "revoked"
      ? []
      : [
          ...(url ? [{ label: l.copyUrl, run: () => void copyUrl() }] : []),
          ...(status === "used"
            ? []
            : choices.map(([seconds, time], index) => ({
                label: seconds === 0 ? l.noEndAction : l.extend(time),
                isGroup: index === 0 && Boolean(url),
                run: () => void extend(seconds),
              }))),
          { label: l.revoke, isDangerous: true, isGroup: true, run: onRevoke },
        ];
  return (
    <li class="share" data-share={share.id}>
      <div class="share-text">
        <span class="what">
          <strong>{words}</strong>
          {hasFile && kind !== "upload" && <FileLink id={fileId ?? null} name={filename ?? null} />}
          {name && <bdi class="muted">{name}</bdi>}
        </span>
        <span
          class={status === "active" ? "muted small" : "small"}
          title={expiresAt ? when(expiresAt) : undefined}
        >
          {factsOf(share).join(" · ")}
        </span>
        <span role="status" class="small">
          {said}
        </span>
      </div>
      {pageUrl ? <CopyButton text={pageUrl} label={l.copy} /> : <span />}
      {actions.length > 0 && (
        <Menu label={l.actions(label)} actions={actions}>
          <Icon name="more" />
        </Menu>
      )}
      {problem && <ProblemNote problem={problem} />}
    </li>
  );
}

const FileLink = ({ id, name }: { id: string | null; name: string | null }) =>
  id && name ? (
    <a href={`/cut?file=${encodeURIComponent(id)}`}>
      <Name>{name}</Name>
    </a>
  ) : (
    <span class="muted">{l.deletedFile}</span>
  );

interface RevokeProps {
  share: Share;
  onClose: () => void;
  onRevoked: (share: Share) => void;
}

function RevokeDialog({ share, onClose, onRevoked }: RevokeProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const revoke = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      onRevoked(await sharing.revoke(share.id));
      onClose();
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={l.revokeTitle} onClose={onClose}>
      <p>
        {share.kind === "account" ? l.revokeAccountText(share.username ?? "") : l.revokeText}{" "}
        {share.kind === "cut" && l.revokeCutText}
      </p>
      {problem && <ProblemNote problem={problem} />}
      <p class="row end">
        <button type="button" data-focus onClick={onClose}>
          {t.cancel}
        </button>
        <button type="button" class="danger filled" aria-busy={isBusy} onClick={() => void revoke()}>
          {l.revoke}
        </button>
      </p>
    </Dialog>
  );
}

// --- A link for uploads -----------------------------------------------------------------------------------------------------

const MEGABYTE = 1_000_000;

export function AskDialog({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const u = sh.upload;
  const [terms, setTerms] = useState({ ...TERMS, expiresIn: f.links[2]![0], maxUses: "1" });
  const [size, setSize] = useState("");
  const [tags, setTags] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const { made, problem, isBusy, run } = useMaking(onMade);
  const { note, errorOf } = useFormProblem(
    form,
    ["name", "maxUses", "maxBytes", "password", "tags"],
    problem,
  );
  const body = () => ({
    ...linkTerms(terms),
    ...(size && { maxBytes: Math.round(Number(size) * MEGABYTE) }),
    ...(parseTags(tags).length > 0 && { tags: parseTags(tags) }),
  });
  return (
    <Dialog title={u.title} wide onClose={onClose}>
      <form
        ref={form}
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run(() => sharing.askForFiles(body()));
        }}
      >
        <p class="muted">{u.text}</p>
        {note && <ProblemNote problem={note} />}
        <Field label={u.name} hint={u.nameHint} error={errorOf("name")}>
          {(a) => (
            <input
              {...a}
              data-focus
              dir="auto"
              maxLength={255}
              value={terms.name}
              onInput={(event) => setTerms({ ...terms, name: event.currentTarget.value })}
            />
          )}
        </Field>
        <div class="fields">
          <LinkFields terms={terms} errorOf={errorOf} usesLabel={u.files} usesHint="" onChange={setTerms} />
          <Field label={u.size} hint={u.sizeHint} error={errorOf("maxBytes")}>
            {(a) => (
              <input
                {...a}
                type="number"
                inputMode="decimal"
                min={0.001}
                step="any"
                value={size}
                onInput={(event) => setSize(event.currentTarget.value)}
              />
            )}
          </Field>
          <Field label={u.tags} hint={t.details.tagsHint} error={errorOf("tags")}>
            {(a) => (
              <input {...a} dir="auto" value={tags} onInput={(event) => setTags(event.currentTarget.value)} />
            )}
          </Field>
        </div>
        <button type="submit" class="primary" aria-busy={isBusy}>
          {u.make}
        </button>
        <Made share={made} />
      </form>
    </Dialog>
  );
}

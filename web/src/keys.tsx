// The API keys of the signed-in user. A secret is shown once, after it was made.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { s } from "./account-strings";
import { changeKey, listKeys, makeKey, revokeKey, rotateKey } from "./accounts";
import type { ApiKey, KeyWithSecret, NewKey } from "./accounts";
import { Problem } from "./api";
import type { User } from "./api";
import { ago, day, when } from "./format";
import { t } from "./strings";
import { Dialog, Field, Icon, Menu, Name, ProblemNote, problemFrom } from "./ui/base";
import { Confirm } from "./ui/confirm";
import { CopyButton } from "./ui/copy";
import { Pages, usePages } from "./ui/pages";

const k = s.keys;

type Scope = NewKey["scopes"][number];
const SCOPES: Scope[] = ["read", "write", "cut", "share", "admin"];

type Opened = { kind: "make" } | { kind: "change" | "rotate" | "revoke"; key: ApiKey } | null;

export function Keys({ user }: { user: User }) {
  const pages = usePages<ApiKey>(listKeys, "");
  const [opened, setOpened] = useState<Opened>(null);
  const [made, setMade] = useState<KeyWithSecret | null>(null);
  const [message, setMessage] = useState("");
  const close = () => setOpened(null);
  const begin = (next: Opened) => {
    setMessage("");
    setOpened(next);
  };
  const show = (result: KeyWithSecret) => {
    setOpened(null);
    setMade(result);
  };
  return (
    <section class="stack" aria-labelledby="keys">
      <div class="row">
        <h3 id="keys" class="grow">
          {k.title}
        </h3>
        <button type="button" class="primary" onClick={() => begin({ kind: "make" })}>
          <Icon name="plus" /> {k.make}
        </button>
      </div>
      <p class="muted small">{k.text}</p>
      <Pages pages={pages} label={k.list} empty={<p class="muted">{k.empty}</p>} more={k.more}>
        {(key) => (
          <li key={key.id}>
            <Row
              key_={key}
              actions={[
                { label: k.change, run: () => begin({ kind: "change", key }) },
                { label: k.rotate, run: () => begin({ kind: "rotate", key }) },
                {
                  label: k.revoke,
                  isDangerous: true,
                  isGroup: true,
                  run: () => begin({ kind: "revoke", key }),
                },
              ]}
            />
          </li>
        )}
      </Pages>
      <p role="status">{message}</p>
      {opened?.kind === "make" && (
        <MakeDialog
          user={user}
          onClose={close}
          onMade={(result) => {
            show(result);
            void pages.reload();
          }}
        />
      )}
      {opened?.kind === "change" && (
        <ChangeDialog
          key_={opened.key}
          onClose={close}
          onChanged={(changed) => {
            close();
            pages.change(changed.id, changed);
            setMessage(k.changed(changed.name));
          }}
        />
      )}
      {opened?.kind === "rotate" && (
        <RotateDialog
          key_={opened.key}
          onClose={close}
          onRotated={(result) => {
            show(result);
            pages.change(result.key.id, result.key);
          }}
        />
      )}
      {opened?.kind === "revoke" && (
        <Confirm
          title={k.revokeTitle(opened.key.name)}
          text={k.revokeText}
          label={k.revokeButton}
          isDangerous
          run={async () => {
            await revokeKey(opened.key.id);
            pages.change(opened.key.id, null);
            setMessage(k.revoked(opened.key.name));
          }}
          onClose={close}
        />
      )}
      {made && <SecretDialog made={made} onClose={() => setMade(null)} />}
    </section>
  );
}

// --- One key --------------------------------------------------------------------------------------------------------

interface RowProps {
  key_: ApiKey;
  actions: Parameters<typeof Menu>[0]["actions"];
}

const isPast = (iso: string | null | undefined): boolean => !!iso && Date.parse(iso) <= Date.now();

function Row({ key_: key, actions }: RowProps) {
  const { name, scopes, tag, hint, createdAt, lastUsedAt, expiresAt, overlapEndsAt } = key;
  return (
    <div class="entry">
      <div>
        <p class="row">
          <strong>
            <Name>{name}</Name>
          </strong>
          {tag && (
            <span class="type" title={k.tagged(tag)}>
              <span class="hidden">{k.tagged("")}</span>
              <bdi>{tag}</bdi>
            </span>
          )}
        </p>
        <p class="small">{scopes.map((scope) => k.scopes[scope]?.[0] ?? scope).join(", ")}</p>
        <p class="small muted">
          <time dateTime={createdAt} title={when(createdAt)}>
            {k.made(ago(createdAt))}
          </time>
          {" · "}
          {lastUsedAt ? (
            <time dateTime={lastUsedAt} title={when(lastUsedAt)}>
              {k.used(ago(lastUsedAt))}
            </time>
          ) : (
            k.unused
          )}
          {!isPast(expiresAt) && (
            <>
              {" · "}
              {expiresAt ? (
                <time dateTime={expiresAt} title={when(expiresAt)}>
                  {k.expires(day(expiresAt))}
                </time>
              ) : (
                k.forever
              )}
            </>
          )}
          {" · "}
          <span>{k.secretEnds(hint)}</span>
        </p>
        {expiresAt && isPast(expiresAt) && (
          <p class="small line warn">
            <Icon name="warn" /> <span>{k.expired(ago(expiresAt))}</span>
          </p>
        )}
        {overlapEndsAt && !isPast(overlapEndsAt) && (
          <p class="small muted">{k.overlap(day(overlapEndsAt))}</p>
        )}
      </div>
      <Menu label={k.menu(name)} actions={actions}>
        <Icon name="more" />
      </Menu>
    </div>
  );
}

// --- Forms ------------------------------------------------------------------------------------------------------------

type FieldName = "name" | "scopes" | "tag" | "expiry";

/** Returns the field that has to change and the words for it; null if the problem is about no field. */
function fieldError({ code, detail }: Problem): [FieldName, string] | null {
  switch (code) {
    case "bad_name":
      if (detail.includes("is empty")) return ["name", k.nameEmpty];
      return ["name", detail.includes("bytes of UTF-8") ? k.nameLong : detail];
    case "conflict":
      return detail.includes("with this name") ? ["name", k.nameTaken] : null;
    case "bad_metadata":
      if (/expiry/i.test(detail)) return ["expiry", /future/.test(detail) ? k.pastExpiry : detail];
      return ["tag", detail.includes("at most 64 bytes") ? k.tagLong : detail];
    case "bad_request":
    case "forbidden":
      return detail.includes("scope") ? ["scopes", detail] : null;
    default:
      return null;
  }
}

/** The problem of a form: an error below a field, which gets the focus, or a note. */
function useKeyForm() {
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [error, setError] = useState<[FieldName, string] | null>(null);
  useLayoutEffect(() => {
    if (error) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [error]);
  const submit = async (work: () => Promise<unknown>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setError(null);
    try {
      await work();
    } catch (caught) {
      const problem = problemFrom(caught);
      const found = fieldError(problem);
      setError(found);
      const isFull = problem.code === "conflict" && problem.detail.includes("Revoke one");
      if (!found) setProblem(isFull ? new Problem(409, "full", k.tooManyTitle, k.tooMany) : problem);
      setBusy(false);
    }
  };
  const errorOf = (name: FieldName) => (error?.[0] === name ? error[1] : undefined);
  return {
    form,
    isBusy,
    problem,
    submit,
    errorOf,
    refuse: (name: FieldName, text: string) => setError([name, text]),
  };
}

const NameField = ({
  value,
  error,
  onChange,
}: {
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}) => (
  <Field label={k.name} hint={k.nameHint} error={error}>
    {(attributes) => (
      <input
        {...attributes}
        data-focus
        dir="auto"
        required
        autocomplete="off"
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    )}
  </Field>
);

const DAY_MS = 86_400_000;

interface Expiry {
  choice: string;
  at: string;
}

/** Returns the time of a choice, null for no expiry, undefined for no change. */
function expiryOf({ choice, at }: Expiry): string | null | undefined {
  if (choice === "keep") return undefined;
  if (choice === "never") return null;
  // The server refuses an empty time, and says so at the field.
  if (choice === "date") return at ? new Date(at).toISOString() : "";
  return new Date(Date.now() + Number(choice) * DAY_MS).toISOString();
}

interface ExpiryFieldsProps {
  value: Expiry;
  keep?: string;
  error: string | undefined;
  onChange: (value: Expiry) => void;
}

function ExpiryFields({ value, keep, error, onChange }: ExpiryFieldsProps) {
  const isDate = value.choice === "date";
  return (
    <div class="fields">
      <Field label={k.expiry} error={isDate ? undefined : error}>
        {(attributes) => (
          <select
            {...attributes}
            value={value.choice}
            onChange={(event) => onChange({ ...value, choice: event.currentTarget.value })}
          >
            {keep && <option value="keep">{keep}</option>}
            {k.expiryOrder.map((choice) => (
              <option value={choice}>{k.expiries[choice]}</option>
            ))}
          </select>
        )}
      </Field>
      {isDate && (
        <Field label={k.expiryAt} error={error}>
          {(attributes) => (
            <input
              {...attributes}
              type="datetime-local"
              required
              value={value.at}
              onInput={(event) => onChange({ ...value, at: event.currentTarget.value })}
            />
          )}
        </Field>
      )}
    </div>
  );
}

interface MakeProps {
  user: User;
  onClose: () => void;
  onMade: (result: KeyWithSecret) => void;
}

function MakeDialog({ user, onClose, onMade }: MakeProps) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const [tag, setTag] = useState("");
  const [expiry, setExpiry] = useState<Expiry>({ choice: "90", at: "" });
  const { form, isBusy, problem, submit, errorOf, refuse } = useKeyForm();
  const allowed = SCOPES.filter((scope) => scope !== "admin" || user.role === "admin");
  const scopeError = errorOf("scopes");
  const send = (event: Event) => {
    event.preventDefault();
    if (scopes.length === 0) return refuse("scopes", k.noScopes);
    const wanted = {
      name,
      scopes: SCOPES.filter((scope) => scopes.includes(scope)),
      expiresAt: expiryOf(expiry) ?? null,
      ...(tag.trim() && { tag: tag.trim() }),
    };
    void submit(async () => onMade(await makeKey(wanted)));
  };
  return (
    <Dialog title={k.makeTitle} onClose={onClose}>
      <form ref={form} class="stack" onSubmit={send}>
        {problem && <ProblemNote problem={problem} />}
        <NameField value={name} error={errorOf("name")} onChange={setName} />
        <fieldset class="choices">
          <legend>{k.scopesLabel}</legend>
          {allowed.map((scope) => {
            const [label, text] = k.scopes[scope]!;
            return (
              <label class="check">
                <input
                  type="checkbox"
                  checked={scopes.includes(scope)}
                  aria-invalid={scopeError ? "true" : undefined}
                  aria-describedby={scopeError ? "scopes-error" : undefined}
                  onChange={(event) =>
                    setScopes(
                      event.currentTarget.checked
                        ? [...scopes, scope]
                        : scopes.filter((other) => other !== scope),
                    )
                  }
                />
                <span>
                  {label}: <span class="muted">{text}</span>
                </span>
              </label>
            );
          })}
          {scopeError && (
            <p id="scopes-error" class="field-error">
              <Icon name="bad" /> <span>{scopeError}</span>
            </p>
          )}
        </fieldset>
        <ExpiryFields value={expiry} error={errorOf("expiry")} onChange={setExpiry} />
        <Field label={k.tag} hint={k.tagHint} error={errorOf("tag")}>
          {(attributes) => (
            <input
              {...attributes}
              dir="auto"
              autocomplete="off"
              value={tag}
              onInput={(event) => setTag(event.currentTarget.value)}
            />
          )}
        </Field>
        <Buttons label={k.makeButton} isBusy={isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

const Buttons = ({ label, isBusy, onClose }: { label: string; isBusy: boolean; onClose: () => void }) => (
  <p class="row end">
    <button type="button" onClick={onClose}>
      {t.cancel}
    </button>
    <button type="submit" class="primary" aria-busy={isBusy}>
      {label}
    </button>
  </p>
);

interface ChangeProps {
  key_: ApiKey;
  onClose: () => void;
  onChanged: (key: ApiKey) => void;
}

function ChangeDialog({ key_: key, onClose, onChanged }: ChangeProps) {
  const [name, setName] = useState(key.name);
  const [expiry, setExpiry] = useState<Expiry>({ choice: "keep", at: "" });
  const { form, isBusy, problem, submit, errorOf } = useKeyForm();
  const send = (event: Event) => {
    event.preventDefault();
    const expiresAt = expiryOf(expiry);
    const changes = { ...(name !== key.name && { name }), ...(expiresAt !== undefined && { expiresAt }) };
    if (Object.keys(changes).length === 0) return onClose();
    void submit(async () => onChanged(await changeKey(key.id, changes)));
  };
  return (
    <Dialog title={k.changeTitle(key.name)} onClose={onClose}>
      <form ref={form} class="stack" onSubmit={send}>
        {problem && <ProblemNote problem={problem} />}
        <NameField value={name} error={errorOf("name")} onChange={setName} />
        <ExpiryFields value={expiry} keep={k.keepExpiry} error={errorOf("expiry")} onChange={setExpiry} />
        <Buttons label={t.save} isBusy={isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

interface RotateProps {
  key_: ApiKey;
  onClose: () => void;
  onRotated: (result: KeyWithSecret) => void;
}

function RotateDialog({ key_: key, onClose, onRotated }: RotateProps) {
  const [overlap, setOverlap] = useState("86400");
  const { form, isBusy, problem, submit } = useKeyForm();
  const send = (event: Event) => {
    event.preventDefault();
    void submit(async () => onRotated(await rotateKey(key.id, Number(overlap))));
  };
  return (
    <Dialog title={k.rotateTitle(key.name)} onClose={onClose}>
      <form ref={form} class="stack" onSubmit={send}>
        {problem && <ProblemNote problem={problem} />}
        <p>{k.rotateText}</p>
        <Field label={k.overlapLabel}>
          {(attributes) => (
            <select
              {...attributes}
              data-focus
              value={overlap}
              onChange={(event) => setOverlap(event.currentTarget.value)}
            >
              {k.overlapOrder.map((seconds) => (
                <option value={seconds}>{k.overlaps[seconds]}</option>
              ))}
            </select>
          )}
        </Field>
        <Buttons label={k.rotateButton} isBusy={isBusy} onClose={onClose} />
      </form>
    </Dialog>
  );
}

// --- The secret -------------------------------------------------------------------------------------------------------

/** A command for curl with the secret as the password. The user name does not matter. */
function exampleOf(scope: string, secret: string): string {
  const at = `curl -u 'me:${secret}'`;
  const files = `${location.origin}/api/files`;
  const commands: Record<string, string> = {
    read: `${at} ${files}`,
    write: `${at} -F file=@list.csv ${files}`,
    cut: `${at} -OJ '${files}/FILE/cut?limit=10'`,
    share: `${at} -H 'content-type: application/json' -d '{"kind": "download"}' ${files}/FILE/share`,
    admin: `${at} ${location.origin}/api/admin/users`,
  };
  return commands[scope] ?? commands.read!;
}

/** Esc does not close it, because the secret would be lost. */
function SecretDialog({ made: { key, secret }, onClose }: { made: KeyWithSecret; onClose: () => void }) {
  const [scope, setScope] = useState(key.scopes[0] ?? "read");
  const field = useRef<HTMLInputElement>(null);
  const command = exampleOf(scope, secret);
  return (
    <Dialog title={k.secretTitle(key.name)} required onClose={onClose}>
      <div class="stack">
        <p class="line warn">
          <Icon name="warn" /> <span>{k.secretText}</span>
        </p>
        <Field label={k.secret}>
          {(attributes) => (
            <input
              {...attributes}
              ref={field}
              class="mono"
              readOnly
              data-focus
              autocomplete="off"
              spellcheck={false}
              value={secret}
              onFocus={() => field.current?.select()}
            />
          )}
        </Field>
        <CopyButton text={secret} label={k.copy} class="primary" />
        <Field label={k.try}>
          {(attributes) => (
            <select {...attributes} value={scope} onChange={(event) => setScope(event.currentTarget.value)}>
              {key.scopes.map((scope) => (
                <option value={scope}>{k.examples[scope] ?? scope}</option>
              ))}
            </select>
          )}
        </Field>
        <pre class="code" tabIndex={0} aria-label={k.example}>
          {command}
        </pre>
        <CopyButton text={command} label={k.copyExample} />
        <p class="row end">
          <button type="button" onClick={onClose}>
            {k.stored}
          </button>
        </p>
      </div>
    </Dialog>
  );
}

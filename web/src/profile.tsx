// The account of the signed-in user: the username, the email, and the end of the account.

import { useEffect, useRef, useState } from "preact/hooks";
import { s } from "./account-strings";
import { askVerification, changeUser, getUser, sendsNoEmail } from "./accounts";
import type { Problem, User } from "./api";
import { deleteAccount, keepUser } from "./auth";
import * as idb from "./idb";
import { t } from "./strings";
import { Dialog, Field, Icon, ProblemNote, problemFrom, useFormProblem } from "./ui/base";

const p = s.profile;

export function Profile({ user }: { user: User }) {
  // Another tab or device may have changed the name, or confirmed the email.
  useEffect(() => void getUser().then(keepUser, () => undefined), []);
  return (
    <div class="stack wide-gap">
      <Names user={user} />
      <Removal user={user} />
    </div>
  );
}

// --- Username and email ---------------------------------------------------------------------------------------------

function Names({ user }: { user: User }) {
  const [username, setUsername] = useState(user.username);
  const [email, setEmail] = useState(user.email ?? "");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [message, setMessage] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, ["username", "email", "current"], problem);
  const isTouched = useRef(false);
  // The fresh values replace the first ones, unless somebody has already begun to type.
  useEffect(() => {
    if (isTouched.current) return;
    setUsername(user.username);
    setEmail(user.email ?? "");
  }, [user.username, user.email]);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setProblem(null);
    setMessage("");
    const wanted = email.trim();
    const changes = {
      ...(username.trim() !== user.username && { username: username.trim() }),
      ...(wanted !== (user.email ?? "") && { email: wanted || null }),
    };
    if (Object.keys(changes).length === 0) return setMessage(p.unchanged);
    setBusy(true);
    try {
      const changed = await changeUser({ ...changes, current_password: password });
      isTouched.current = false;
      keepUser(changed);
      setUsername(changed.username);
      setEmail(changed.email ?? "");
      setPassword("");
      setMessage("email" in changes && changed.email ? p.savedUnconfirmed : p.saved);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const typed = (set: (value: string) => void) => (event: { currentTarget: HTMLInputElement }) => {
    isTouched.current = true;
    set(event.currentTarget.value);
  };
  return (
    <section class="stack" aria-labelledby="names">
      <h3 id="names">{p.title}</h3>
      <form ref={form} class="stack" onSubmit={submit}>
        {note && <ProblemNote problem={note} />}
        <Field label={p.username} hint={t.auth.usernameHint} error={errorOf("username")}>
          {(attributes) => (
            <input
              {...attributes}
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              value={username}
              onInput={typed(setUsername)}
            />
          )}
        </Field>
        <Field label={p.email} hint={p.emailHint} error={errorOf("email")}>
          {(attributes) => (
            <input
              {...attributes}
              type="email"
              autocomplete="email"
              value={email}
              onInput={typed(setEmail)}
            />
          )}
        </Field>
        <Field label={p.password} hint={p.passwordHint} error={errorOf("current")}>
          {(attributes) => (
            <input
              {...attributes}
              type="password"
              required
              autocomplete="current-password"
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        <button type="submit" class="start" aria-busy={isBusy}>
          {p.save}
        </button>
        <p role="status">{message}</p>
      </form>
      <Confirmation key={user.email} user={user} />
    </section>
  );
}

/** Says whether the email is confirmed, and sends a link if it is not. */
function Confirmation({ user }: { user: User }) {
  const [state, setState] = useState<"idle" | "busy" | "sent" | "off">("idle");
  const [problem, setProblem] = useState<Problem | null>(null);
  if (!user.email)
    return (
      <p class="line muted">
        <Icon name="idea" /> <span>{p.none}</span>
      </p>
    );
  if (user.email_verified)
    return (
      <p class="line good">
        <Icon name="good" /> <span>{p.confirmed(user.email)}</span>
      </p>
    );
  const send = async () => {
    if (state === "busy") return;
    setState("busy");
    setProblem(null);
    try {
      await askVerification();
      setState("sent");
    } catch (error) {
      const problem = problemFrom(error);
      // The email was confirmed in the meantime.
      if (problem.code === "conflict") getUser().then(keepUser, () => undefined);
      if (sendsNoEmail(problem)) return setState("off");
      setState("idle");
      setProblem(problem);
    }
  };
  return (
    <div class="stack">
      <p class="line warn">
        <Icon name="warn" /> <span>{p.unconfirmed(user.email)}</span>
      </p>
      {problem && <ProblemNote problem={problem} />}
      {state !== "off" && state !== "sent" && (
        <button type="button" class="start" aria-busy={state === "busy"} onClick={() => void send()}>
          {p.send}
        </button>
      )}
      <p role="status">{state === "sent" ? p.sent(user.email) : state === "off" ? s.noEmail : ""}</p>
    </div>
  );
}

// --- The end of the account -------------------------------------------------------------------------------------------

function Removal({ user }: { user: User }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section class="stack" aria-labelledby="removal">
      <h3 id="removal">{s.remove.title}</h3>
      <p class="muted small">{s.remove.text}</p>
      <button type="button" class="danger start" onClick={() => setOpen(true)}>
        {s.remove.open}
      </button>
      {isOpen && <RemovalDialog user={user} onClose={() => setOpen(false)} />}
    </section>
  );
}

/** Removes the names of unfinished uploads from this browser. */
async function forgetUploads(id: string): Promise<void> {
  for (const { user, fingerprint } of await idb.all<{ user: string; fingerprint: string }>("uploads"))
    if (user === id) await idb.remove("uploads", fingerprint);
}

function RemovalDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const r = s.remove;
  const [typed, setTyped] = useState("");
  const [password, setPassword] = useState("");
  const [isWrong, setWrong] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const first = useRef<HTMLInputElement>(null);
  const { note, errorOf } = useFormProblem(form, ["current"], problem);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setProblem(null);
    const isRight = typed.trim() === user.username;
    setWrong(!isRight);
    if (!isRight) return first.current?.focus();
    setBusy(true);
    try {
      await deleteAccount(password, () => forgetUploads(user.id));
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={r.heading} onClose={onClose}>
      <ul class="stack bullets">
        <li>{r.now}</li>
        <li>{r.soon}</li>
        <li>{r.later}</li>
      </ul>
      <p>
        <strong>{r.never}</strong>
      </p>
      <form ref={form} class="stack" onSubmit={submit}>
        {note && <ProblemNote problem={note} />}
        <Field label={r.type(user.username)} error={isWrong ? r.typeError(user.username) : undefined}>
          {(attributes) => (
            <input
              {...attributes}
              ref={first}
              required
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label={r.password} error={errorOf("current")}>
          {(attributes) => (
            <input
              {...attributes}
              type="password"
              required
              autocomplete="current-password"
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        <p class="row end">
          <button type="button" data-focus onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="danger filled" aria-busy={isBusy}>
            {r.button}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

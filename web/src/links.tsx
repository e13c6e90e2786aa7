// The pages behind links in emails, the request for such a link, and the end of an account.

import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { askReset, confirmReset, sendsNoEmail, verifyEmail } from "./accounts";
import { s } from "./account-strings";
import type { Problem } from "./api";
import { t } from "./strings";
import { Field, Icon, ProblemNote, problemFrom, useFormProblem } from "./ui/base";
import type { EmailLink } from "./email-link";

const l = s.links;

const Card = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <section class="card" aria-labelledby="door-title">
    <h2 id="door-title">{title}</h2>
    {children}
  </section>
);

export function LinkPage({ link }: { link: EmailLink }) {
  const [isForgotten, setForgotten] = useState(false);
  return (
    <main class="door" tabIndex={-1}>
      <h1>
        <Icon name="cut" /> {t.product}
      </h1>
      {link.kind === "deleted" && (
        <Card title={l.deletedTitle}>
          <p role="status">{l.deleted}</p>
          <a class="button start" href="/">
            {l.toStart}
          </a>
        </Card>
      )}
      {link.kind === "verify" && <Verify token={link.token} />}
      {link.kind === "reset" &&
        (isForgotten ? (
          <Forgot onBack={() => location.replace("/")} />
        ) : (
          <Reset token={link.token} onForgot={() => setForgotten(true)} />
        ))}
    </main>
  );
}

/** Runs one request at a time. `isDone` is true after one has succeeded. */
function useRequest() {
  const [isBusy, setBusy] = useState(false);
  const [isDone, setDone] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async (work: () => Promise<unknown>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      await work();
      setDone(true);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return { isBusy, isDone, problem, send, begin: () => setDone(false) };
}

// --- Verify ---------------------------------------------------------------------------------------------------------

/** A button sends the token, because programs that check links in emails open them, too. */
function Verify({ token }: { token: string }) {
  const { isBusy, isDone, problem, send } = useRequest();
  if (isDone)
    return (
      <Card title={l.verifyDoneTitle}>
        <p role="status">{l.verifyDone}</p>
        <a class="button start" href="/">
          {l.toFiles}
        </a>
      </Card>
    );
  if (problem?.code === "gone")
    return (
      <Card title={l.deadTitle}>
        <p role="alert">
          {l.dead} {l.verifyDead}
        </p>
        <a class="button start" href="/">
          {l.toFiles}
        </a>
      </Card>
    );
  return (
    <Card title={l.verifyTitle}>
      <p>{l.verifyText}</p>
      {problem && <ProblemNote problem={problem} />}
      <button
        type="button"
        class="primary"
        aria-busy={isBusy}
        onClick={() => void send(() => verifyEmail(token))}
      >
        {l.verify}
      </button>
    </Card>
  );
}

// --- A new password -------------------------------------------------------------------------------------------------

function Reset({ token, onForgot }: { token: string; onForgot: () => void }) {
  const [password, setPassword] = useState("");
  const [isShown, setShown] = useState(false);
  const { isBusy, isDone, problem, send } = useRequest();
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, ["password"], problem);
  if (isDone)
    return (
      <Card title={l.resetDoneTitle}>
        <p role="status">{l.resetDone}</p>
        <a class="button start" href="/">
          {l.toSignIn}
        </a>
      </Card>
    );
  if (problem?.code === "gone")
    return (
      <Card title={l.deadTitle}>
        <p role="alert">{l.dead}</p>
        <button type="button" class="primary" onClick={onForgot}>
          {l.askAgain}
        </button>
      </Card>
    );
  return (
    <Card title={l.resetTitle}>
      <form
        ref={form}
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void send(() => confirmReset(token, password));
        }}
      >
        <p>{l.resetText}</p>
        {note && <ProblemNote problem={note} />}
        <Field label={l.newPassword} hint={t.auth.passwordHint} error={errorOf("password")}>
          {(attributes) => (
            <input
              {...attributes}
              type={(isShown ? "text" : "password") as "password"}
              required
              minLength={8}
              autocomplete="new-password"
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={isShown}
            onChange={(event) => setShown(event.currentTarget.checked)}
          />
          {t.auth.showPassword}
        </label>
        <button type="submit" class="primary" aria-busy={isBusy}>
          {l.reset}
        </button>
      </form>
    </Card>
  );
}

// --- A request for a link -------------------------------------------------------------------------------------------------

export function Forgot({ onBack }: { onBack: () => void }) {
  const [email, setEmail] = useState("");
  const { isBusy, isDone, problem, send, begin } = useRequest();
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, ["email"], problem);
  const back = (
    <button type="button" class="link" onClick={onBack}>
      {l.toSignIn}
    </button>
  );
  if (isDone)
    return (
      <Card title={l.sentTitle}>
        <p role="status">{l.sent(email.trim())}</p>
        <button type="button" class="link" onClick={begin}>
          {l.again}
        </button>
        {back}
      </Card>
    );
  if (problem && sendsNoEmail(problem))
    return (
      <Card title={l.noEmailTitle}>
        <p role="alert">{l.noEmail}</p>
        {back}
      </Card>
    );
  return (
    <Card title={l.forgotTitle}>
      <form
        ref={form}
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void send(() => askReset(email.trim()));
        }}
      >
        <p>{l.forgotText}</p>
        {note && <ProblemNote problem={note} />}
        <Field label={l.email} error={errorOf("email")}>
          {(attributes) => (
            <input
              {...attributes}
              ref={focusOnce}
              type="email"
              required
              autocomplete="email"
              value={email}
              onInput={(event) => setEmail(event.currentTarget.value)}
            />
          )}
        </Field>
        <button type="submit" class="primary" aria-busy={isBusy}>
          {l.send}
        </button>
      </form>
      {back}
    </Card>
  );
}

/** The button that opened the form is gone, so the first field gets the focus. */
const focusOnce = (input: HTMLInputElement | null): void => input?.focus();

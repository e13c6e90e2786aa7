import { useRef, useState } from "preact/hooks";
import type { Problem, User } from "../api";
import { signIn, signOut, signUp } from "../auth";
import { t } from "../strings";
import { Dialog, Field, Icon, ProblemNote, problemFrom, useFormProblem } from "./base";
import { lazy } from "./lazy";

const Forgot = lazy(async () => (await import("../links")).Forgot);

function Credentials({ user, isNew }: { user?: string; isNew: boolean }) {
  const [username, setUsername] = useState(user ?? "");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [isShown, setShown] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, isNew ? ["username", "email", "password"] : [], problem);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      await (isNew ? signUp(username, password, email) : signIn(username, password));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <form ref={form} onSubmit={submit} class="stack">
      {note && <ProblemNote problem={note} />}
      <Field
        label={isNew ? t.auth.username : t.auth.usernameOrEmail}
        hint={isNew ? t.auth.usernameHint : undefined}
        error={errorOf("username")}
      >
        {(attributes) => (
          <input
            {...attributes}
            name="username"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
            readOnly={user !== undefined}
            value={username}
            onInput={(event) => setUsername(event.currentTarget.value)}
          />
        )}
      </Field>
      {isNew && (
        <Field label={t.auth.email} error={errorOf("email")}>
          {(attributes) => (
            <input
              {...attributes}
              name="email"
              type="email"
              autocomplete="email"
              value={email}
              onInput={(event) => setEmail(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      <Field
        label={t.auth.password}
        hint={isNew ? t.auth.passwordHint : undefined}
        error={errorOf("password")}
      >
        {(attributes) => (
          <input
            {...attributes}
            name="password"
            type={(isShown ? "text" : "password") as "password"}
            autocomplete={isNew ? "new-password" : "current-password"}
            required
            minLength={isNew ? 8 : undefined}
            data-focus={user !== undefined || undefined}
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
        {isNew ? t.auth.signUp : t.auth.signIn}
      </button>
    </form>
  );
}

export function SignIn() {
  const [isNew, setNew] = useState(false);
  const [isForgotten, setForgotten] = useState(false);
  return (
    <main class="door" tabIndex={-1}>
      <h1>
        <Icon name="cut" /> {t.product}
      </h1>
      <p>{t.tagline}</p>
      {isForgotten ? (
        <Forgot onBack={() => setForgotten(false)} />
      ) : (
        <section class="card" aria-labelledby="door-title">
          <h2 id="door-title">{isNew ? t.auth.signUp : t.auth.signIn}</h2>
          <Credentials key={String(isNew)} isNew={isNew} />
          {!isNew && (
            <button type="button" class="link" onClick={() => setForgotten(true)}>
              {t.auth.forgot}
            </button>
          )}
          <button type="button" class="link" onClick={() => setNew(!isNew)}>
            {isNew ? t.auth.toSignIn : t.auth.toSignUp}
          </button>
        </section>
      )}
    </main>
  );
}

/** Asks to sign in again in mid-work. Everything else on the page stays. */
export const SignInAgain = ({ user }: { user: User }) => (
  <Dialog title={t.auth.againTitle} required onClose={() => undefined}>
    <p>{t.auth.againText(user.username)}</p>
    <Credentials user={user.username} isNew={false} />
    <button type="button" class="link" onClick={() => void signOut().catch(() => location.replace("/"))}>
      {t.auth.signOut}
    </button>
  </Dialog>
);

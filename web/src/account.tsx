// The settings: the account, the password and the sessions, the API keys, and the users for admins.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { done } from "../../clients/typescript/src/index";
import type { Schemas } from "../../clients/typescript/src/index";
import { s } from "./account-strings";
import { clients } from "./api";
import type { Problem, User } from "./api";
import { changePassword, leaveEverywhere } from "./auth";
import { ago } from "./format";
import { t } from "./strings";
import { Dialog, Field, ProblemNote, problemFrom, useFormProblem } from "./ui/base";
import { deviceOf } from "./ui/device";
import { lazy } from "./ui/lazy";

type Session = Schemas["AccountSession"];
export type SettingsSection = "profile" | "sessions" | "keys" | "users";

const { cutty, texts } = clients;
const a = t.account;

const Profile = lazy(async () => (await import("./profile")).Profile);
const Keys = lazy(async () => (await import("./keys")).Keys);
const Users = lazy(async () => (await import("./users")).Users);
const SignIns = lazy(async () => (await import("./sign-ins")).SignIns);

interface SettingsProps {
  user: User;
  section: SettingsSection;
  onClose: () => void;
}

/** The dialog has a tab for each section. Arrows move between the tabs. */
export function Settings({ user, section, onClose }: SettingsProps) {
  const [shown, setShown] = useState(section);
  const id = useId();
  const sections = settingsOf(user);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = sections.indexOf(shown);
    const moves: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 };
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = sections.at(to % sections.length)!;
    setShown(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <Dialog title={s.title} wide onClose={onClose}>
      <div class="settings">
        <div class="tabs" role="tablist" aria-label={s.sections} onKeyDown={onKeyDown}>
          {sections.map((name) => (
            <button
              type="button"
              role="tab"
              key={name}
              id={`${id}-${name}`}
              aria-selected={name === shown}
              aria-controls={name === shown ? `${id}-panel` : undefined}
              tabIndex={name === shown ? 0 : -1}
              data-focus={name === shown || undefined}
              onClick={() => setShown(name)}
            >
              {a.sections[name]}
            </button>
          ))}
        </div>
        <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${shown}`} key={shown}>
          {shown === "profile" && <Profile user={user} />}
          {shown === "sessions" && <PasswordAndSessions />}
          {shown === "keys" && <Keys user={user} />}
          {shown === "users" && <Users user={user} />}
        </div>
      </div>
    </Dialog>
  );
}

/** The sections that a user has. */
const settingsOf = ({ role }: User): SettingsSection[] => [
  "profile",
  "sessions",
  "keys",
  ...(role === "admin" ? (["users"] as const) : []),
];

function PasswordAndSessions() {
  const [round, setRound] = useState(0);
  return (
    <div class="stack wide-gap">
      <Sessions key={round} />
      <Password onChanged={() => setRound(round + 1)} />
      <SignIns />
    </div>
  );
}

// --- Sessions -------------------------------------------------------------------------------------------------------

function Sessions() {
  const [sessions, setSessions] = useState<Session[]>([]);
  const [next, setNext] = useState<string | null | undefined>(undefined);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  const [isLoading, setLoading] = useState(false);
  const load = async (cursor: string | null) => {
    const query = cursor ? { cursor } : {};
    setLoading(true);
    const listed = done(cutty.GET("/api/auth/sessions", { params: { query } }), texts);
    const page = await listed.finally(() => setLoading(false));
    setSessions((before) => (cursor ? [...before, ...page.sessions] : page.sessions));
    setNext(page.next_cursor ?? null);
  };
  const attempt = (work: () => Promise<unknown>) => {
    setProblem(null);
    work().catch((error: unknown) => setProblem(problemFrom(error)));
  };
  useEffect(() => attempt(() => load(null)), [round]);
  const end = (id: string) =>
    attempt(async () => {
      await done(cutty.DELETE("/api/auth/sessions/{id}", { params: { path: { id } } }), texts);
      setSessions((before) => before.filter((session) => session.id !== id));
    });
  return (
    <section class="stack" aria-labelledby="sessions">
      <h3 id="sessions">{a.sessions}</h3>
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => setRound(round + 1)}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      <ul class="sessions" aria-label={a.sessions}>
        {sessions.map((session) => {
          const device = deviceOf(session.user_agent ?? null);
          return (
            <li>
              <span>
                <bdi title={session.user_agent ?? undefined}>{device}</bdi>{" "}
                <span class="muted small">
                  {session.is_current ? a.current : a.used(ago(session.last_used_at))}
                </span>
              </span>
              {!session.is_current && (
                <button
                  type="button"
                  class="small"
                  aria-label={a.endOf(device)}
                  onClick={() => end(session.id)}
                >
                  {a.end}
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {next && (
        <button type="button" class="quiet" disabled={isLoading} onClick={() => attempt(() => load(next))}>
          {a.more}
        </button>
      )}
      <button type="button" class="danger" onClick={() => attempt(leaveEverywhere)}>
        {a.endAll}
      </button>
    </section>
  );
}

// --- Password -------------------------------------------------------------------------------------------------------

function Password({ onChanged }: { onChanged: () => void }) {
  const [current, setCurrent] = useState("");
  const [chosen, setChosen] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [isChanged, setChanged] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, ["current", "password"], problem);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setChanged(false);
    try {
      await changePassword(current, chosen);
      setChanged(true);
      onChanged();
      setCurrent("");
      setChosen("");
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const field = (name: string, label: string, value: string, set: (value: string) => void, kind: string) => (
    <Field
      label={label}
      hint={kind === "new-password" ? t.auth.passwordHint : undefined}
      error={errorOf(name)}
    >
      {(attributes) => (
        <input
          {...attributes}
          type="password"
          required
          autocomplete={kind as "new-password"}
          value={value}
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
    </Field>
  );
  return (
    <form ref={form} class="stack" aria-labelledby="password" onSubmit={submit}>
      <h3 id="password">{a.password}</h3>
      {note && <ProblemNote problem={note} />}
      {field("current", a.currentPassword, current, setCurrent, "current-password")}
      {field("password", a.newPassword, chosen, setChosen, "new-password")}
      <p class="muted small">{a.passwordText}</p>
      <button type="submit" aria-busy={isBusy}>
        {a.change}
      </button>
      <p role="status">{isChanged ? a.changed : ""}</p>
    </form>
  );
}

// The account of the signed-in user: the password and the sessions.

import { useEffect, useRef, useState } from "preact/hooks";
import { done } from "../../clients/typescript/src/index";
import type { Schemas } from "../../clients/typescript/src/index";
import { clients } from "./api";
import type { Problem } from "./api";
import { changePassword, leaveEverywhere } from "./auth";
import { ago } from "./format";
import { t } from "./strings";
import { Dialog, Field, ProblemNote, problemFrom, useFormProblem } from "./ui/base";

type Session = Schemas["AccountSession"];

const { cutty, texts } = clients;
const a = t.account;

export function AccountDialog({ onClose }: { onClose: () => void }) {
  const [round, setRound] = useState(0);
  return (
    <Dialog title={a.title} onClose={onClose}>
      <div class="stack wide-gap">
        <Sessions key={round} />
        <Password onChanged={() => setRound(round + 1)} />
      </div>
    </Dialog>
  );
}

// --- Sessions -------------------------------------------------------------------------------------------------------

/** Returns the name of a browser and of its system, as far as the user agent says them. */
function deviceOf(agent: string | null): string {
  const browsers = [/Edg|Firefox|OPR/, /Chrome/, /Safari/, /^[\w-]+/];
  const systems = /Windows|Android|iPhone|iPad|Mac OS|Linux/;
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", "Mac OS": "macOS" };
  if (!agent) return a.unknownDevice;
  const found = [browsers.map((browser) => browser.exec(agent)?.[0]).find(Boolean), systems.exec(agent)?.[0]];
  return found.flatMap((name) => (name ? [names[name] ?? name] : [])).join(", ") || a.unknownDevice;
}

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
      <ul class="sessions">
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

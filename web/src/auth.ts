// The session: the access token lives in memory only, the refresh token in a cookie that no script can read.

import * as api from "./api";
import type { Session, Token, User } from "./api";
import { t } from "./strings";

export type AuthState =
  | { kind: "loading" }
  | { kind: "failed"; problem: api.Problem }
  | { kind: "out" }
  /** `isOver`: the session ended while the user was working. Requests wait until the user has signed in again. */
  | { kind: "in"; user: User; isOver: boolean };

let state: AuthState = { kind: "loading" };
let token: string | null = null;
let expiresAt = 0;
const listeners = new Set<() => void>();
let waiting: (() => void)[] = [];

/** Tabs tell each other about new tokens, sign-ins and sign-outs. The messages stay inside this origin. */
const channel = new BroadcastChannel("cutty-session");
type Message =
  | { type: "token"; user: string; token: Token }
  | { type: "in"; session: Session }
  | { type: "user"; user: User }
  | { type: "out" };

export const authState = (): AuthState => state;

export function onAuth(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setState(next: AuthState): void {
  state = next;
  for (const listener of listeners) listener();
}

function keep(next: Token): void {
  token = next.access_token;
  expiresAt = Date.now() + next.expires_in * 1000;
}

function enter(session: Session): void {
  // The page of one user must not show another user's files, not even for a moment.
  if (state.kind === "in" && state.user.id !== session.user.id) return location.reload();
  keep(session);
  setState({ kind: "in", user: session.user, isOver: false });
  const ready = waiting;
  waiting = [];
  for (const go of ready) go();
}

function leave(): void {
  token = null;
  // A new document has no data of the session that ended.
  if (state.kind === "in") location.replace("/");
  else setState({ kind: "out" });
}

channel.onmessage = ({ data }: MessageEvent<Message>) => {
  if (data.type === "in" && (state.kind === "out" || (state.kind === "in" && state.isOver)))
    enter(data.session);
  if (data.type === "in" && state.kind === "in" && state.user.id !== data.session.user.id) location.reload();
  if (data.type === "token" && state.kind === "in" && state.user.id === data.user) {
    keep(data.token);
    if (state.isOver) enter({ user: state.user, ...data.token });
  }
  if (data.type === "user" && state.kind === "in" && state.user.id === data.user.id)
    setState({ ...state, user: data.user });
  if (data.type === "out" && state.kind === "in") leave();
};

const send = (message: Message): void => channel.postMessage(message);

/** Runs `work` in one tab at a time, so that two tabs never spend the same refresh token. */
const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
  navigator.locks.request("cutty-session", work) as Promise<T>;

export async function begin(): Promise<void> {
  try {
    const session = await api.getSession();
    if (session) enter(session);
    else setState({ kind: "out" });
  } catch (error) {
    setState({ kind: "failed", problem: error instanceof api.Problem ? error : api.noConnection() });
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  const session = await exclusively(() => api.login(username, password));
  send({ type: "in", session });
  enter(session);
}

export async function signUp(username: string, password: string, email: string): Promise<void> {
  const session = await exclusively(() => api.register(username, password, email));
  send({ type: "in", session });
  enter(session);
}

export async function signOut(): Promise<void> {
  await exclusively(() => api.logout());
  send({ type: "out" });
  leave();
}

/**
 * Sends a request that ends the session of its token. Meanwhile no tab renews the token. The page gets its token before
 * it takes the lock, because renewing a token takes the same lock.
 */
async function ending<T>(work: (access: string) => Promise<T>): Promise<T> {
  const access = await current();
  try {
    return await exclusively(() => work(access));
  } catch (error) {
    if (!(error instanceof api.Problem) || error.status !== 401) throw error;
    await renew(access);
    const renewed = await current();
    return exclusively(() => work(renewed));
  }
}

/** Changes the password. The other tabs of this browser keep working. */
export async function changePassword(password: string, chosen: string): Promise<void> {
  const { user, ...next } = await ending((access) => api.changePassword(access, password, chosen));
  keep(next);
  send({ type: "token", user: user.id, token: next });
}

/** Signs the user out on every device. */
export async function leaveEverywhere(): Promise<void> {
  await ending((access) => api.endAllSessions(access));
  send({ type: "out" });
  leave();
}

/** Shows the changed name and email of the user, in every tab. */
export function keepUser(user: User): void {
  if (state.kind !== "in" || state.user.id !== user.id) return;
  setState({ ...state, user });
  send({ type: "user", user });
}

/** Deletes the account. `forget` removes what this browser keeps of it. The next document says that it is deleted. */
export async function deleteAccount(password: string, forget: () => Promise<unknown>): Promise<void> {
  await ending((access) => api.deleteAccount(access, password));
  send({ type: "out" });
  await forget();
  history.replaceState(null, "", "/#deleted");
  location.reload();
}

async function renew(refused: string | null): Promise<void> {
  await exclusively(async () => {
    // Another request of this tab, or another tab, has got a new token in the meantime.
    if (token !== refused && Date.now() < expiresAt) return;
    try {
      const { user, ...next } = await api.refresh();
      // Another user has signed in, and this tab did not hear of it. Requests of this tab wait, and end with the page.
      if (state.kind === "in" && state.user.id !== user.id) {
        token = null;
        setState({ ...state, isOver: true });
        return location.reload();
      }
      keep(next);
      if (state.kind === "in") send({ type: "token", user: user.id, token: next });
    } catch (error) {
      if (!(error instanceof api.Problem) || error.status !== 401) throw error;
      token = null;
      if (state.kind === "in") setState({ ...state, isOver: true });
    }
  });
}

// A token is renewed this long before it expires.
const MARGIN_MS = 30_000;

async function current(): Promise<string> {
  for (;;) {
    if (state.kind !== "in")
      throw new api.Problem(401, "unauthenticated", t.errors.outTitle, t.errors.outDetail);
    if (state.isOver) await new Promise<void>((resolve) => waiting.push(resolve));
    if (token && Date.now() < expiresAt - MARGIN_MS) return token;
    // A short-lived token is used until it expires.
    const before = token;
    await renew(before);
    if (token && token !== before) return token;
  }
}

export const tokens: api.Tokens = { current, renew };
api.useTokens(tokens);

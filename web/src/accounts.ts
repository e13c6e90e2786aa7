// The requests of the settings, and of the pages behind links in emails.

import { done } from "../../clients/typescript/src/index";
import type { Schemas } from "../../clients/typescript/src/index";
import { clients } from "./api";
import type { PageOf, Problem, User } from "./api";

const { cutty, impatient, open, texts } = clients;

/** Keys and users have members in camelCase, also where the description of the API has another spelling. */
type CamelKey<K> = K extends `${infer A}_${infer B}` ? `${A}${Capitalize<CamelKey<B>>}` : K;
type Camel<T> = { [K in keyof T as CamelKey<K & string>]: T[K] };

export type ApiKey = Camel<Schemas["ApiKey"]>;
export type NewKey = Schemas["KeyRequest"];
export type Account = Camel<Schemas["AdminUser"]>;
export interface KeyWithSecret {
  key: ApiKey;
  secret: string;
}

const pathOf = (id: string) => ({ params: { path: { id } } });

/** Whether the service sends no email at all. The server has no other code for it. */
export const sendsNoEmail = ({ status, detail }: Problem): boolean =>
  status === 503 && detail.startsWith("This service sends no email");

// --- The user -------------------------------------------------------------------------------------------------------

export const getUser = async (): Promise<User> => (await done(cutty.GET("/api/auth/user"), texts)).user;

export const changeUser = async (body: Schemas["ProfileRequest"]): Promise<User> =>
  (await done(cutty.PATCH("/api/auth/user", { body }), texts)).user;

export const askVerification = (): Promise<unknown> =>
  done(impatient.POST("/api/auth/email/verification"), texts);

// --- Links: these requests need no session ------------------------------------------------------------------------------

export const askReset = (email: string): Promise<unknown> =>
  done(open.POST("/api/auth/password/reset", { body: { email } }), texts);

export const confirmReset = (token: string, password: string): Promise<unknown> =>
  done(open.POST("/api/auth/password/reset/confirm", { body: { token, new_password: password } }), texts);

export const verifyEmail = (token: string): Promise<unknown> =>
  done(open.POST("/api/auth/email/verify", { body: { token } }), texts);

// --- Keys -----------------------------------------------------------------------------------------------------------

export async function listKeys(cursor: string | null, signal: AbortSignal): Promise<PageOf<ApiKey>> {
  const query = cursor ? { cursor } : {};
  const page = await done(cutty.GET("/api/keys", { params: { query }, signal }), texts);
  return { items: page.keys as unknown as ApiKey[], next: page.nextCursor ?? null };
}

export const makeKey = async (body: NewKey): Promise<KeyWithSecret> =>
  (await done(cutty.POST("/api/keys", { body }), texts)) as unknown as KeyWithSecret;

export const changeKey = async (id: string, body: Schemas["KeyPatch"]): Promise<ApiKey> =>
  (await done(cutty.PATCH("/api/keys/{id}", { ...pathOf(id), body }), texts)).key as unknown as ApiKey;

export async function rotateKey(id: string, overlap: number): Promise<KeyWithSecret> {
  const made = await done(cutty.POST("/api/keys/{id}/rotate", { ...pathOf(id), body: { overlap } }), texts);
  return made as unknown as KeyWithSecret;
}

export const revokeKey = (id: string): Promise<unknown> =>
  done(cutty.DELETE("/api/keys/{id}", pathOf(id)), texts);

// --- Users, for admins ------------------------------------------------------------------------------------------------

export async function listUsers(
  q: string,
  cursor: string | null,
  signal: AbortSignal,
): Promise<PageOf<Account>> {
  const query = { ...(q && { q }), ...(cursor && { cursor }) };
  const page = await done(cutty.GET("/api/admin/users", { params: { query }, signal }), texts);
  return { items: page.users as unknown as Account[], next: page.nextCursor ?? null };
}

export const changeAccount = async (id: string, body: Schemas["UserChange"]): Promise<Account> =>
  (await done(cutty.PATCH("/api/admin/users/{id}", { ...pathOf(id), body }), texts))
    .user as unknown as Account;

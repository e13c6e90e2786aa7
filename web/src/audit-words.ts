// Entries of the audit log in words.

import { au } from "./audit-strings";
import type { ActionName, Entry } from "./auditing";
import { bytes } from "./format";

/** The codes of requests that the service could answer, and refused. Other failures are faults, or broke off. */
const REFUSALS = [
  "forbidden",
  "infected",
  "quota_exceeded",
  "rate_limited",
  "token_expired",
  "unauthenticated",
];

/** The words for an action. A newer server may know more actions. */
export const wordsOf = (action: string): [noun: string, done: string] =>
  au.actions[action as ActionName] ?? [action, action];

export const codeWords = (code: string): string => au.codes[code] ?? au.codeOther(code);

/** Who acted, seen by the user with the id `user`. */
export function byWhom(principal: string | null | undefined, user: string | null): string {
  const [kind = "", id] = (principal ?? "").split(":");
  if (kind === "user") return id === user ? au.by.you : au.by.person;
  if (kind === "api_key") return au.by.key;
  if (kind === "share") return au.by.link;
  if (kind === "operator") return au.by.operator;
  return principal ? au.by.service : au.by.unknown;
}

/** What happened, in a sentence such as "Downloaded by you, 3.2 MB". */
export function sentenceOf(entry: Entry, user: string | null): string {
  const { action, success, errorCode, errorMessage, principal, bytesTransferred } = entry;
  const [noun, done] = wordsOf(action);
  const by = byWhom(principal, user);
  const size = bytesTransferred ? `, ${bytes(bytesTransferred)}` : "";
  if (success) return `${done} ${by}${size}`;
  const isRefused = action === "refuse" || REFUSALS.includes(errorCode ?? "");
  const reason = errorMessage || (errorCode && codeWords(errorCode));
  return `${isRefused ? au.refused : au.failed}: ${noun} ${by}${size}${reason ? `. ${capital(reason)}` : ""}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

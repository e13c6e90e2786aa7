// A typed client of the Cutty API. `schema.ts` is generated from the API description; this file adds access tokens,
// repeated requests, and errors.

import createFetchClient from "openapi-fetch";
import type { Client as FetchClient } from "openapi-fetch";
import type { components, operations, paths } from "./schema.js";

export type { components, operations, paths };

/** The schemas of bodies, by name. */
export type Schemas = components["schemas"];

/** Supplies access tokens. */
export interface Tokens {
  /** Returns a token that is valid now. */
  current(): string | Promise<string>;
  /** Replaces a token that the server refused. Without this function, the response 401 is final. */
  renew?(refused: string): void | Promise<void>;
}

export interface ClientOptions {
  /** The address of the server, such as `https://cutty.example`. Default: the origin of the page. */
  baseUrl?: string;
  /** Without tokens, requests have no credentials. */
  tokens?: Tokens;
  /** Sends a request; default `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
  /** How often a request is sent again if the server is busy and says when to try again; default 3. */
  retries?: number;
}

export type Client = FetchClient<paths>;

const REPEATABLE = ["GET", "HEAD", "OPTIONS"];
/** The longest time before a request is sent again. */
const MAX_WAIT_SECONDS = 10;

/**
 * Creates a client. If it has tokens, each request has an access token, and each request that changes something has an
 * Idempotency-Key. So the client can repeat a request that the server refused as busy, or whose token has expired.
 */
export function createClient(options: ClientOptions = {}): Client {
  const { baseUrl = "", tokens } = options;
  const send = options.fetch ?? ((request: Request) => fetch(request));
  return createFetchClient<paths>({
    baseUrl,
    bodySerializer,
    fetch: tokens ? (request) => sendSigned(request, tokens, send, options.retries ?? 3) : send,
  });
}

/** Objects are sent as JSON. Texts, forms and bytes are sent as they are; bytes need the header `content-type`. */
function bodySerializer(body: unknown): unknown {
  const isPlain = typeof body === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(body));
  return isPlain ? JSON.stringify(body) : body;
}

async function sendSigned(
  request: Request,
  tokens: Tokens,
  send: (request: Request) => Promise<Response>,
  retries: number,
): Promise<Response> {
  // With the key, a repeated request has no second effect.
  if (!REPEATABLE.includes(request.method) && !request.headers.has("Idempotency-Key"))
    request.headers.set("Idempotency-Key", crypto.randomUUID());
  let isRenewed = false;
  for (let attempt = 0; ; attempt++) {
    const token = await tokens.current();
    // `send` uses up the body of a request.
    const copy = request.clone();
    copy.headers.set("Authorization", `Bearer ${token}`);
    const response = await send(copy);
    if (response.status === 401 && tokens.renew && !isRenewed) {
      isRenewed = true;
      await tokens.renew(token);
      continue;
    }
    const seconds = retryAfter(response.headers.get("Retry-After"));
    if (seconds === null || attempt >= retries || !(await isBusy(response))) return response;
    await pause(Math.min(seconds, MAX_WAIT_SECONDS), request.signal);
  }
}

async function isBusy(response: Response): Promise<boolean> {
  if (response.status === 503) return true;
  if (response.status !== 409) return false;
  const text = await response.clone().text();
  return problemOf(response.status, () => null, text).code === "in_progress";
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, seconds * 1000);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

function retryAfter(header: string | null | undefined): number | null {
  const seconds = Number(header || NaN);
  return Number.isFinite(seconds) ? seconds : null;
}

/** An error that a person can read: what happened, and what to do. */
export class Problem extends Error {
  readonly status: number;
  readonly code: Schemas["Problem"]["code"] | (string & {});
  readonly title: string;
  readonly detail: string;
  readonly requestId: string | null;
  /** Seconds after which the client should send the request again. */
  readonly retryAfter: number | null;

  constructor(
    status: number,
    code: string,
    title: string,
    detail: string,
    requestId: string | null = null,
    retryAfter: number | null = null,
  ) {
    super(`${title}: ${detail}`);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** Texts for responses that Cutty did not write. */
export interface Texts {
  unexpected: string;
  status(status: number): string;
}

const TEXTS: Texts = {
  unexpected: "Unexpected response",
  status: (status) => `The server responded with the status ${status} and no explanation.`,
};

/**
 * Makes a problem from a response, even if another server between the client and Cutty wrote the response. `body` is a
 * text or the value of JSON.
 */
export function problemOf(
  status: number,
  header: (name: string) => string | null | undefined,
  body: unknown,
  texts: Texts = TEXTS,
): Problem {
  const id = header("x-request-id") ?? null;
  const seconds = retryAfter(header("retry-after"));
  const json = typeof body === "string" ? parsed(body) : body;
  const member = (name: string): string | null => {
    const value = json && typeof json === "object" ? (json as Record<string, unknown>)[name] : null;
    return typeof value === "string" ? value : null;
  };
  const detail = member("detail");
  if (detail === null)
    return new Problem(status, "unknown", texts.unexpected, texts.status(status), id, seconds);
  const title = member("title") ?? texts.unexpected;
  return new Problem(status, member("code") ?? "unknown", title, detail, member("requestId") ?? id, seconds);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a request of the client returns. */
export interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Returns the body of a response.
 *
 * @throws {Problem} if the response is an error
 */
export async function done<T>(result: Result<T> | Promise<Result<T>>, texts: Texts = TEXTS): Promise<T> {
  const { data, error, response } = await result;
  if (response.ok) return data as T;
  throw problemOf(response.status, (name) => response.headers.get(name), error, texts);
}

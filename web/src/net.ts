// What every page needs of the network, with an account or without: whether the server responds, and problems as people
// read them.

import { createClient, problemOf as problemWith, Problem } from "../../clients/typescript/src/index";
import type { Texts } from "../../clients/typescript/src/index";
import { t } from "./strings";

export { Problem };

export const texts: Texts = { unexpected: t.errors.unexpected, status: t.errors.status };

/** Makes a problem from a response, even if another server between the page and Cutty wrote the response. */
export const problemOf = (
  status: number,
  header: (name: string) => string | null | undefined,
  body: string,
): Problem => problemWith(status, header, body, texts);

/** Whether the server responds. The banners show it. */
export type Reach = "ok" | "offline" | "down";

let reach: Reach = "ok";
const reachListeners = new Set<(reach: Reach) => void>();
let probe: ReturnType<typeof setTimeout> | undefined;

export const currentReach = (): Reach => reach;

export function onReach(listener: (reach: Reach) => void): () => void {
  reachListeners.add(listener);
  return () => reachListeners.delete(listener);
}

export function setReach(next: Reach): void {
  clearTimeout(probe);
  if (next !== "ok") probe = setTimeout(checkReach, 3000);
  if (next === reach) return;
  reach = next;
  for (const listener of reachListeners) listener(next);
}

async function checkReach(): Promise<void> {
  if (!navigator.onLine) return setReach("offline");
  try {
    const response = await fetch("/health", { cache: "no-store" });
    setReach(response.ok ? "ok" : "down");
  } catch {
    setReach(navigator.onLine ? "down" : "offline");
  }
}

addEventListener("online", () => void checkReach());
addEventListener("offline", () => setReach("offline"));

export const noConnection = (): Problem =>
  navigator.onLine
    ? new Problem(0, "down", t.errors.downTitle, t.errors.downDetail)
    : new Problem(0, "offline", t.errors.offlineTitle, t.errors.offlineDetail);

/** Sends a request and reads the whole response. If the server cannot be reached, the banner says so. */
export async function send(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    const body = await response.arrayBuffer();
    setReach("ok");
    return new Response(body.byteLength > 0 ? body : null, response);
  } catch (error) {
    if (request.signal.aborted) throw error;
    setReach(navigator.onLine ? "down" : "offline");
    throw noConnection();
  }
}

/** A client without credentials. */
export const open = createClient({ baseUrl: location.origin, fetch: send });

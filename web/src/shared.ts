// The requests of the page /s. They need no account: the token of the link is enough.

import { done } from "../../clients/typescript/src/index";
import type { Result, Schemas } from "../../clients/typescript/src/index";
import { Problem, open, texts } from "./net";
import type { Target } from "./upload";

export type SharedInfo = Schemas["SharedInfo"];
export type Rows = Schemas["RowsResponse"];

const bodyOf = <T>(result: Promise<Result<T>>): Promise<T> => done(result, texts);

export const getInfo = (token: string, signal?: AbortSignal): Promise<SharedInfo> =>
  bodyOf(open.GET("/api/shared/{token}/info", { params: { path: { token } }, signal }));

/** A link with which the file can be read for an hour, without another use. */
export interface Opened {
  token: string;
  /** When it ends (RFC 3339). */
  until: string;
}

/** Opens a link. This counts a use. */
export async function openShare(token: string, password: string | null): Promise<Opened> {
  const body = password === null ? {} : { password };
  const response = await bodyOf(open.POST("/api/shared/{token}", { params: { path: { token } }, body }));
  // A link for uploads would respond with a file.
  const opened = response as Schemas["OpenedResponse"];
  return { token: opened.url.split("/").pop() ?? "", until: opened.expiresAt };
}

export const getRows = (token: string, offset: number, limit: number, signal: AbortSignal): Promise<Rows> =>
  bodyOf(
    open.GET("/api/shared/{token}/rows", {
      params: { path: { token }, query: { offset, limit } },
      signal,
    }),
  );

export const downloadAddress = (token: string): string => `/api/shared/${encodeURIComponent(token)}`;

// --- Uploads ------------------------------------------------------------------------------------------------------------

/** Values of headers are bytes. The server reads them as UTF-8. */
const headerText = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

/** What this browser keeps of an upload does not contain the link. */
async function ownerOf(token: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  const hex = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `link ${hex.join("").slice(0, 32)}`;
}

export async function linkTarget(
  token: string,
  password: () => string | null,
  refuse: (file: File) => Problem | null,
): Promise<Target> {
  const endpoint = `${downloadAddress(token)}/uploads`;
  const idOf = (url: string): string => new URL(url, location.href).pathname.split("/").pop() ?? "";
  const upload = (url: string) => ({
    params: { path: { token, id: idOf(url) }, header: { "Tus-Resumable": "1.0.0" as const } },
  });
  // The page knows the file only through the upload. No request asks for a stored file.
  const unknown = () => Promise.reject(new TypeError("The holder of a link reads no file."));
  return {
    owner: await ownerOf(token),
    endpoint,
    async headers() {
      const text = password();
      return text === null ? ({} as Record<string, string>) : { "X-Share-Password": headerText(text) };
    },
    async getOffset(url) {
      const result = await open.HEAD("/api/shared/{token}/uploads/{id}", upload(url));
      await done(result, texts);
      return Number(result.response.headers.get("Upload-Offset") ?? NaN);
    },
    end: (url) => bodyOf(open.DELETE("/api/shared/{token}/uploads/{id}", upload(url))),
    kept: idOf,
    urlOf: (id) => `${endpoint}/${id}`,
    refuse,
    getFile: unknown,
    getProfile: unknown,
  };
}

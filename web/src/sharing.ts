// The requests for shares, for the owner of the files and for accounts with which files are shared.

import { done } from "../../clients/typescript/src/index";
import type { Result, Schemas } from "../../clients/typescript/src/index";
import * as api from "./api";
import type { FileView, PageOf } from "./api";

const { cutty, texts } = api.clients;
const bodyOf = <T>(result: Promise<Result<T>>): Promise<T> => done(result, texts);

export type Share = Schemas["ShareView"];
export type ShareRequest = Schemas["ShareRequest"];
export type UploadLinkRequest = Schemas["UploadLinkRequest"];

const PAGE_SHARES = 25;

export async function listShares(
  fileId: string | null,
  cursor: string | null,
  signal: AbortSignal,
): Promise<PageOf<Share>> {
  const query = { limit: PAGE_SHARES, ...(fileId && { fileId }), ...(cursor && { cursor }) };
  const page = await bodyOf(cutty.GET("/api/shares", { params: { query }, signal }));
  return { items: page.shares, next: page.nextCursor ?? null };
}

export const shareFile = async (id: string, body: ShareRequest): Promise<Share> =>
  (await bodyOf(cutty.POST("/api/files/{id}/share", { params: { path: { id } }, body }))).share;

export const askForFiles = async (body: Omit<UploadLinkRequest, "kind">): Promise<Share> =>
  (await bodyOf(cutty.POST("/api/shares", { body: { kind: "upload", ...body } }))).share;

/** `expiresIn`: seconds from now; null if a share with an account has no end. */
export const setExpiry = async (id: string, expiresIn: number | null): Promise<Share> =>
  (await bodyOf(cutty.PATCH("/api/shares/{id}", { params: { path: { id } }, body: { expiresIn } }))).share;

export const revoke = async (id: string): Promise<Share> =>
  (await bodyOf(cutty.DELETE("/api/shares/{id}", { params: { path: { id } } }))).share;

export async function listSharedWithMe(
  cursor: string | null,
  signal: AbortSignal,
): Promise<PageOf<FileView>> {
  const query = { shared: true, limit: api.PAGE_FILES, ...(cursor && { cursor }) };
  const page = await bodyOf(cutty.GET("/api/files", { params: { query }, signal }));
  return { items: page.files, next: page.nextCursor ?? null };
}

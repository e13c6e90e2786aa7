// The requests for cuts, receipts and saved recipes.

import * as api from "./api";
import type { FileView } from "./api";
import { done } from "../../clients/typescript/src/index";
import type { Result, Schemas } from "../../clients/typescript/src/index";
import { queryOf } from "./cut";
import type { Cut } from "./cut";

const { cutty, texts } = api.clients;
const bodyOf = <T>(result: Promise<Result<T>>): Promise<T> => done(result, texts);

export type Receipt = Schemas["ReceiptView"];

export type ListedReceipt = Schemas["ListedReceipt"];
export type ReceiptPage = Schemas["ReceiptListResponse"];
export type SavedRecipe = Schemas["SavedRecipe"];
export type RecipePage = Schemas["RecipeListResponse"];

const ofId = (id: string) => ({ params: { path: { id } } });

const present = (values: Record<string, string | number | null | undefined>) =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );

// --- Receipts -----------------------------------------------------------------------------------------------------------

export const PAGE_CUTS = 25;

export const listReceipts = (
  fileId: string | null,
  cursor: string | null = null,
  limit = PAGE_CUTS,
  signal?: AbortSignal,
): Promise<ReceiptPage> =>
  bodyOf(cutty.GET("/api/cuts", { params: { query: present({ fileId, cursor, limit }) }, signal }));

export const getReceipt = async (id: string): Promise<Receipt> =>
  (await bodyOf(cutty.GET("/api/cuts/{id}", ofId(id)))).cut;

/** Returns the recipe of a cut; null if it is not stored any more. */
export async function getRecipe(id: string): Promise<Cut | null> {
  try {
    const { recipe } = await bodyOf(cutty.GET("/api/cuts/{id}/recipe", ofId(id)));
    return (recipe as { cut: Cut }).cut;
  } catch (error) {
    if (error instanceof api.Problem && ["gone", "not_found"].includes(error.code)) return null;
    throw error;
  }
}

// --- Results ------------------------------------------------------------------------------------------------------------

/** Returns the address from which the browser itself can download a cut. Checks that the cut can begin. */
export async function getCutDownload(fileId: string, recipe: Cut): Promise<Schemas["DownloadView"]> {
  const { download } = await bodyOf(cutty.POST("/api/downloads", { body: { fileId, recipe } }));
  const { ok, status, headers } = await fetch(download.url, { method: "HEAD" });
  if (ok) return download;
  // The response of HEAD has no words. The estimate of the same cut explains what is wrong.
  await bodyOf(
    cutty.GET("/api/files/{id}/estimate", { params: { path: { id: fileId }, query: queryOf(recipe) } }),
  );
  throw api.problemOf(status, (name) => headers.get(name), "");
}

export interface Saved {
  file: FileView;
  cutId: string;
}

export async function saveCut(fileId: string, cut: Cut, filename: string, tags: string[]): Promise<Saved> {
  // A saved cut is CSV or TSV; the panel offers nothing else.
  const body = { ...cut, filename, ...(tags.length > 0 && { tags }) } as Schemas["SavedCutBody"];
  const { file, cutId } = await bodyOf(cutty.POST("/api/files/{id}/save", { ...ofId(fileId), body }));
  return { file, cutId };
}

// --- Saved recipes ------------------------------------------------------------------------------------------------------

const PAGE_RECIPES = 25;

export const listRecipes = (
  q: string,
  fileId: string | null,
  cursor: string | null = null,
  signal?: AbortSignal,
): Promise<RecipePage> =>
  bodyOf(
    cutty.GET("/api/recipes", {
      params: { query: present({ q, fileId, cursor, limit: PAGE_RECIPES }) },
      signal,
    }),
  );

export const saveRecipe = async (name: string, cut: Cut): Promise<SavedRecipe> =>
  (await bodyOf(cutty.POST("/api/recipes", { body: { name, cut } }))).recipe;

export const changeRecipe = async (id: string, changes: { name?: string; cut?: Cut }): Promise<SavedRecipe> =>
  (await bodyOf(cutty.PATCH("/api/recipes/{id}", { ...ofId(id), body: changes }))).recipe;

export const deleteRecipe = (id: string): Promise<unknown> =>
  bodyOf(cutty.DELETE("/api/recipes/{id}", ofId(id)));

/** Finds a recipe by its exact name. */
export async function findRecipe(name: string): Promise<SavedRecipe | null> {
  for (let cursor: string | null = null; ;) {
    const page: RecipePage = await listRecipes(name, null, cursor);
    const found = page.recipes.find((recipe) => recipe.name === name);
    cursor = page.nextCursor ?? null;
    if (found || !cursor) return found ?? null;
  }
}

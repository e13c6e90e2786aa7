// The list of saved recipes.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./api";
import type { FileView } from "./api";
import type { Cut } from "./cut";
import * as cuts from "./cuts";
import type { SavedRecipe } from "./cuts";
import { e, o } from "./export-strings";
import { ago, when } from "./format";
import { isForExcel, membersOf, outputOf } from "./output";
import { t } from "./strings";
import { Dialog, Field, Icon, Menu, Name, ProblemNote, problemFrom } from "./ui/base";

const r = e.recipes;
const SEARCH_MS = 250;

interface Props {
  file: FileView;
  close: () => void;
  apply: (cut: Cut) => void;
  /** Applies a recipe, and downloads the cut at once. */
  download: (cut: Cut) => void;
}

/** A recipe in the list. A deleted one stays, so that the deletion can be undone. */
interface Item {
  recipe: SavedRecipe;
  isDeleted: boolean;
}

const itemsOf = (recipes: SavedRecipe[]): Item[] => recipes.map((recipe) => ({ recipe, isDeleted: false }));

export function RecipesPanel({ file, close, apply, download }: Props) {
  const [search, setSearch] = useState("");
  const { items, cursor, isLoading, problem, loadMore, change, setProblem } = useRecipes(search, file.id);
  const list = useRef<HTMLUListElement>(null);
  const firstNew = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (firstNew.current === null || !items || items.length <= firstNew.current) return;
    list.current?.children[firstNew.current]?.querySelector<HTMLElement>("button:enabled")?.focus();
    firstNew.current = null;
  }, [items]);
  const remove = async ({ id }: SavedRecipe) => {
    try {
      await cuts.deleteRecipe(id);
      change(id, { isDeleted: true });
    } catch (error) {
      setProblem(problemFrom(error));
    }
  };
  const restore = async ({ id, name, cut, suits, missing }: SavedRecipe) => {
    try {
      const recipe = { ...(await cuts.saveRecipe(name, cut)), suits, missing };
      change(id, { recipe, isDeleted: false });
    } catch (error) {
      setProblem(problemFrom(error));
    }
  };
  return (
    <Dialog title={r.title} wide onClose={close}>
      <div class="tools">
        <div class="search">
          <Icon name="search" />
          <input
            type="search"
            data-focus
            aria-label={r.search}
            placeholder={r.search}
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </div>
      </div>
      {problem && <ProblemNote problem={problem} />}
      <div aria-busy={isLoading}>
        {items?.length === 0 && !isLoading && <p class="muted">{search ? r.noMatch : r.empty}</p>}
        {items && items.length > 0 && (
          <ul class="list recipes" aria-label={r.list} ref={list}>
            {items.map(({ recipe, isDeleted }) =>
              isDeleted ? (
                <Deleted key={recipe.id} recipe={recipe} onUndo={() => restore(recipe)} />
              ) : (
                <Recipe
                  key={recipe.id}
                  recipe={recipe}
                  onApply={() => {
                    apply(shownCut(recipe));
                    close();
                  }}
                  onDownload={() => download(shownCut(recipe))}
                  onRenamed={(renamed) => change(recipe.id, { recipe: { ...recipe, ...renamed } })}
                  onRemove={() => void remove(recipe)}
                />
              ),
            )}
          </ul>
        )}
      </div>
      {cursor && (
        <div class="more">
          <button
            type="button"
            aria-busy={isLoading}
            onClick={() => {
              firstNew.current = items?.length ?? 0;
              loadMore();
            }}
          >
            {r.more}
          </button>
        </div>
      )}
    </Dialog>
  );
}

/** The pages of the list, for one search. */
function useRecipes(search: string, fileId: string) {
  const [items, setItems] = useState<Item[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);
  const current = useRef<AbortController | null>(null);
  const load = async (from: string | null) => {
    current.current?.abort();
    const { signal } = (current.current = new AbortController());
    setLoading(true);
    setProblem(null);
    try {
      const { recipes, nextCursor } = await cuts.listRecipes(search.trim(), fileId, from, signal);
      if (signal.aborted) return;
      setItems((before) => [...(from ? (before ?? []) : []), ...itemsOf(recipes)]);
      setCursor(nextCursor ?? null);
    } catch (error) {
      if (signal.aborted) return;
      setProblem(problemFrom(error));
    }
    setLoading(false);
  };
  useEffect(() => {
    const timer = setTimeout(() => void load(null), items === null ? 0 : SEARCH_MS);
    return () => clearTimeout(timer);
  }, [search, fileId]);
  useEffect(() => () => current.current?.abort(), []);
  const change = (id: string, changes: Partial<Item>) =>
    setItems((before) =>
      (before ?? []).map((item) => (item.recipe.id === id ? { ...item, ...changes } : item)),
    );
  return { items, cursor, isLoading, problem, setProblem, change, loadMore: () => void load(cursor) };
}

// --- One recipe ---------------------------------------------------------------------------------------------------------

interface RecipeProps {
  recipe: SavedRecipe;
  onApply: () => void;
  onDownload: () => void;
  onRenamed: (recipe: SavedRecipe) => void;
  onRemove: () => void;
}

function Recipe({ recipe, onApply, onDownload, onRenamed, onRemove }: RecipeProps) {
  const [isRenaming, setRenaming] = useState(false);
  const { name, filter, cut, updatedAt, suits = true } = recipe;
  if (isRenaming)
    return (
      <li>
        <Rename
          recipe={recipe}
          onDone={(renamed) => {
            setRenaming(false);
            if (renamed) onRenamed(renamed);
          }}
        />
      </li>
    );
  return (
    <li class="recipe">
      <div class="recipe-text">
        <strong>
          <Name>{name}</Name>
        </strong>
        <p class="small">
          {filter ? <span class="mono break">{filter}</span> : <span class="muted">{r.noFilter}</span>}
          <span class="muted">
            {" · "}
            {cut.columns ? r.columns((cut as Cut).columns!.length) : r.allColumns}
            {" · "}
            {formatText(cut)}
            {" · "}
            <time dateTime={updatedAt} title={when(updatedAt)}>
              {ago(updatedAt)}
            </time>
          </span>
        </p>
        <Suits recipe={recipe} />
      </div>
      <div class="row">
        <button type="button" disabled={!suits} aria-label={r.applyTo(name)} onClick={onApply}>
          {r.apply}
        </button>
        {suits && (
          <button type="button" aria-label={r.downloadOf(name)} onClick={onDownload}>
            {r.download}
          </button>
        )}
      </div>
      <Menu
        label={r.menu(name)}
        actions={[
          { label: r.rename, run: () => setRenaming(true) },
          { label: r.remove, run: onRemove, isDangerous: true, isGroup: true },
        ]}
      >
        <Icon name="more" />
      </Menu>
    </li>
  );
}

/** Returns the cut of a recipe with one filter as text, which the page can show. */
const shownCut = ({ cut, filter }: SavedRecipe): Cut => {
  const { whereFilters, ...shown } = cut as Cut;
  return whereFilters && filter ? { ...shown, filter } : shown;
};

/** The format in short: the receipt of a cut has all of it. */
function formatText(cut: Cut): string {
  const { format = "csv", compress } = membersOf(outputOf(cut));
  return [o.formats[format], isForExcel(cut) && e.download.excel, compress && ".gz"]
    .filter(Boolean)
    .join(", ");
}

const NAMED_COLUMNS = 5;

function Suits({ recipe: { suits, missing } }: { recipe: SavedRecipe }) {
  if (typeof suits !== "boolean") return null;
  if (suits)
    return (
      <p class="small verdict complete">
        <Icon name="good" /> {r.suits}
      </p>
    );
  return (
    <p class="small line warn">
      <Icon name="warn" />
      <span>
        {r.missing((missing ?? []).slice(0, NAMED_COLUMNS), (missing ?? []).length - NAMED_COLUMNS)}
      </span>
    </p>
  );
}

function Rename({ recipe, onDone }: { recipe: SavedRecipe; onDone: (renamed: SavedRecipe | null) => void }) {
  const [name, setName] = useState(recipe.name);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const isTaken = problem?.code === "conflict";
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      onDone(await cuts.changeRecipe(recipe.id, { name }));
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <form class="stack rename" onSubmit={submit}>
      {problem && !isTaken && <ProblemNote problem={problem} />}
      <Field label={r.newName(recipe.name)} error={isTaken ? r.nameTaken : undefined}>
        {(attributes) => (
          <input
            {...attributes}
            ref={input}
            required
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
      </Field>
      <div class="row">
        <button type="submit" aria-busy={isBusy}>
          {t.save}
        </button>
        <button type="button" class="quiet" onClick={() => onDone(null)}>
          {t.cancel}
        </button>
      </div>
    </form>
  );
}

function Deleted({ recipe, onUndo }: { recipe: SavedRecipe; onUndo: () => Promise<void> }) {
  const [isBusy, setBusy] = useState(false);
  const undo = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => undo.current?.focus(), []);
  return (
    <li class="recipe">
      <p class="muted recipe-text" role="status">
        {r.removed(recipe.name)}
      </p>
      <button
        ref={undo}
        type="button"
        class="link"
        aria-busy={isBusy}
        onClick={() => {
          if (isBusy) return;
          setBusy(true);
          void onUndo().finally(() => setBusy(false));
        }}
      >
        {r.undo}
      </button>
    </li>
  );
}

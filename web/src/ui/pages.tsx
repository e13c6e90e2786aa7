// A list that the server sends in pages.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { PageOf, Problem } from "../api";
import { t } from "../strings";
import { ProblemNote, problemFrom } from "./base";

type Read<T> = (cursor: string | null, signal: AbortSignal) => Promise<PageOf<T>>;

/** Reads the first page, and again if `subject` changes. Only the answer to the newest request counts. */
export function usePages<T extends { id: string }>(read: Read<T>, subject: string) {
  const [items, setItems] = useState<T[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);
  const current = useRef<AbortController | null>(null);
  const latest = useRef(read);
  latest.current = read;
  const load = async (cursor: string | null) => {
    current.current?.abort();
    const { signal } = (current.current = new AbortController());
    setLoading(true);
    setProblem(null);
    try {
      const page = await latest.current(cursor, signal);
      if (signal.aborted) return;
      setItems((before) => [...(cursor ? (before ?? []) : []), ...page.items]);
      setNext(page.next);
    } catch (error) {
      if (signal.aborted) return;
      setProblem(problemFrom(error));
    }
    setLoading(false);
  };
  useEffect(() => void load(null), [subject]);
  useEffect(() => () => current.current?.abort(), []);
  /** Puts a changed item in its place; null removes it. */
  const change = (id: string, item: T | null) =>
    setItems((before) => (before ?? []).flatMap((other) => (other.id !== id ? [other] : item ? [item] : [])));
  return {
    items,
    next,
    isLoading,
    problem,
    change,
    more: () => load(next),
    reload: () => load(null),
    retry: () => load(items ? next : null),
  };
}

interface PagesProps<T extends { id: string }> {
  pages: ReturnType<typeof usePages<T>>;
  /** The accessible name of the list. */
  label: string;
  class?: string;
  empty: ComponentChildren;
  /** Stands above the list if the list has items. */
  head?: ComponentChildren;
  /** The text of the button for the next page. */
  more: string;
  /** Makes the `li` of an item. */
  children: (item: T) => ComponentChildren;
}

/** The list, and the button for its next page. The first new item gets the focus. */
export function Pages<T extends { id: string }>(props: PagesProps<T>) {
  const { pages, label, empty, head, more, children } = props;
  const { items, next, isLoading, problem } = pages;
  const list = useRef<HTMLUListElement>(null);
  const shownBefore = useRef<number | null>(null);
  useLayoutEffect(() => {
    const at = shownBefore.current;
    if (at === null || !items || items.length <= at) return;
    shownBefore.current = null;
    list.current?.children[at]?.querySelector<HTMLElement>("a, button, summary")?.focus();
  }, [items]);
  return (
    <>
      {items && items.length > 0 && (
        <>
          {head}
          <ul class={`list ${props.class ?? ""}`} ref={list} aria-label={label} aria-busy={isLoading}>
            {items.map(children)}
          </ul>
        </>
      )}
      {items?.length === 0 && !problem && empty}
      {!items && !problem && <p class="muted">{t.loading}</p>}
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => void pages.retry()}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      {next && !problem && (
        <div class="more">
          <button
            type="button"
            aria-busy={isLoading}
            onClick={() => {
              if (isLoading) return;
              shownBefore.current = items?.length ?? 0;
              void pages.more();
            }}
          >
            {more}
          </button>
        </div>
      )}
    </>
  );
}

// The filter while somebody writes it: read by the server a moment after the last key, and applied if it can be used.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { textOf } from "./filter-text";
import type { Tree } from "./filter-text";
import type { FilterState } from "./filters";
import { parseFilter } from "./table";
import { problemFrom } from "./ui/base";

const TYPING_MS = 250;

export interface FilterControl {
  state: FilterState;
  /** Whether the filter of the address cannot be used, so that there are no rows to show. */
  isBroken: boolean;
  /** Whether the filter of the address can be used, as far as anybody knows. Before, nothing asks for its rows. */
  isReady: boolean;
  /** `tree` is the tree of the text, if the page made the text. */
  edit: (text: string, isTyping: boolean, tree?: Tree | null) => void;
  /** Changes the filter of the chips. */
  change: (work: (tree: Tree | null) => Tree | null) => void;
}

/**
 * `applied` is the filter that decides which rows are shown. `fileId` is null if the columns of the file are others in
 * this view. `apply` receives a filter that can be used, and whether it continues the last change.
 */
export function useFilter(
  applied: string,
  fileId: string | null,
  apply: (text: string, isContinued: boolean) => void,
): FilterControl {
  const [state, setState] = useState<FilterState>({
    text: applied,
    tree: null,
    isUnused: false,
    errors: [],
    problem: null,
  });
  const abort = useRef<AbortController | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const known = useRef<{ text: string; tree: Tree | null }>({ text: "", tree: null });
  /** The filter of the address that `state` belongs to. */
  const followed = useRef("");
  /** Filters that could be used, so that back and forward do not wait for the server. */
  const trees = useRef(new Map<string, Tree | null>());
  const isTypingOn = useRef(false);
  const latest = useRef({ fileId, apply });
  latest.current = { fileId, apply };

  const cancel = () => {
    clearTimeout(timer.current);
    abort.current?.abort();
  };

  const accept = (text: string, tree: Tree | null) => {
    known.current = { text, tree };
    trees.current.set(`${latest.current.fileId} ${text}`, tree);
    setState({ text, tree, isUnused: false, errors: [], problem: null });
  };

  /** `made` is the tree of the text, if the page made the text. */
  const read = async (text: string, done: () => void, made?: Tree | null) => {
    const { signal } = (abort.current = new AbortController());
    if (text.trim() === "") {
      accept("", null);
      return done();
    }
    try {
      const { tree, errors } = await parseFilter(text, latest.current.fileId, signal);
      if (signal.aborted) return;
      if (errors.length > 0) {
        // A text that somebody types may be any other filter. So the chips show the one that decides which rows there are.
        const isUnused = made !== undefined;
        return setState({
          text,
          tree: isUnused ? made : known.current.tree,
          isUnused,
          errors,
          problem: null,
        });
      }
      accept(text, tree);
      done();
    } catch (error) {
      if (!signal.aborted) setState((before) => ({ ...before, text, problem: problemFrom(error) }));
    }
  };

  const edit = (text: string, isTyping: boolean, tree?: Tree | null) => {
    cancel();
    // The chips do not wait for the server.
    setState((before) => (tree === undefined ? { ...before, text } : { ...before, text, tree, errors: [] }));
    const go = () =>
      void read(
        text,
        () => {
          followed.current = text.trim() === "" ? "" : text;
          latest.current.apply(followed.current, isTyping && isTypingOn.current);
          isTypingOn.current = isTyping;
        },
        tree,
      );
    if (isTyping) timer.current = setTimeout(go, TYPING_MS);
    else go();
  };

  const change = (work: (tree: Tree | null) => Tree | null) => {
    const tree = work(state.tree);
    edit(textOf(tree), false, tree);
  };

  // A layout effect gives up the answers about an address that was left before any of them can arrive.
  useLayoutEffect(() => {
    // The page itself has applied it. Meanwhile the text may have grown.
    if (applied === followed.current) return;
    followed.current = applied;
    cancel();
    isTypingOn.current = false;
    const tree = trees.current.get(`${fileId} ${applied}`);
    if (tree !== undefined) return accept(applied, tree);
    known.current = { text: "", tree: null };
    setState({ text: applied, tree: null, isUnused: false, errors: [], problem: null });
    void read(applied, () => undefined);
  }, [applied]);

  useEffect(() => cancel, []);

  const isBroken = applied !== "" && state.errors.length > 0 && known.current.text !== applied;
  const isReady = applied === "" || known.current.text === applied || state.problem !== null;
  return { state, isBroken, isReady, edit, change };
}

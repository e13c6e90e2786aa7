// The filter while somebody writes it: read by the server a moment after the last key, and applied if it can be used.

import { useEffect, useRef, useState } from "preact/hooks";
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
  /** `tree` is the tree of the text, if the page made the text. */
  edit: (text: string, isTyping: boolean, tree?: Tree | null) => void;
  /** Changes the last filter that could be used. */
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
  const [state, setState] = useState<FilterState>({ text: applied, tree: null, errors: [], problem: null });
  const abort = useRef<AbortController | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const known = useRef<{ text: string; tree: Tree | null }>({ text: "", tree: null });
  const isTypingOn = useRef(false);
  const latest = useRef({ fileId, apply });
  latest.current = { fileId, apply };

  const cancel = () => {
    clearTimeout(timer.current);
    abort.current?.abort();
  };

  const accept = (text: string, tree: Tree | null) => {
    known.current = { text, tree };
    setState({ text, tree, errors: [], problem: null });
  };

  const read = async (text: string, done: () => void) => {
    const { signal } = (abort.current = new AbortController());
    if (text.trim() === "") {
      accept("", null);
      return done();
    }
    try {
      const { tree, errors } = await parseFilter(text, latest.current.fileId, signal);
      if (signal.aborted) return;
      if (errors.length > 0)
        return setState((before) => ({ text, tree: tree ?? before.tree, errors, problem: null }));
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
      void read(text, () => {
        latest.current.apply(text.trim() === "" ? "" : text, isTyping && isTypingOn.current);
        isTypingOn.current = isTyping;
      });
    if (isTyping) timer.current = setTimeout(go, TYPING_MS);
    else go();
  };

  const change = (work: (tree: Tree | null) => Tree | null) => {
    const tree = work(state.errors.length > 0 ? known.current.tree : state.tree);
    edit(textOf(tree), false, tree);
  };

  useEffect(() => {
    // The page itself has applied it. Meanwhile the text may have grown.
    if (applied === known.current.text) return;
    cancel();
    isTypingOn.current = false;
    setState({ text: applied, tree: null, errors: [], problem: null });
    void read(applied, () => undefined);
  }, [applied]);

  useEffect(() => cancel, []);

  const isBroken = applied !== "" && state.errors.length > 0 && known.current.text !== applied;
  return { state, isBroken, edit, change };
}

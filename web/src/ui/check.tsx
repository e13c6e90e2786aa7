// A place to drop a file, which is compared with the result of a cut.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { e } from "../export-strings";
import { bytes } from "../format";
import { compare } from "../hash";
import type { Comparison, Expected } from "../hash";
import { Icon } from "./base";

const c = e.check;

type State =
  | { kind: "idle" }
  | { kind: "hashing"; file: File; read: number }
  | { kind: "done"; file: File; comparison: Comparison }
  | { kind: "unreadable"; file: File };

const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

export function CheckFile({ expected }: { expected: Expected }) {
  const [state, setState] = useState<State>({ kind: "idle" });
  const [isOver, setOver] = useState(false);
  const chooser = useRef<HTMLInputElement>(null);
  const abort = useRef<AbortController | null>(null);
  const stop = () => {
    abort.current?.abort();
    setState({ kind: "idle" });
  };
  useEffect(() => () => abort.current?.abort(), []);
  const check = async (file: File) => {
    abort.current?.abort();
    const { signal } = (abort.current = new AbortController());
    const show = (next: State) => {
      if (!signal.aborted) setState(next);
    };
    show({ kind: "hashing", file, read: 0 });
    try {
      const comparison = await compare(
        file,
        expected,
        (read) => show({ kind: "hashing", file, read }),
        signal,
      );
      show({ kind: "done", file, comparison });
    } catch {
      show({ kind: "unreadable", file });
    }
  };
  useDrops(setOver, (file) => void check(file));
  return (
    <div class={isOver ? "drop-place over" : "drop-place"}>
      <p>{isOver ? c.drop : c.text}</p>
      <div class="row">
        <button type="button" onClick={() => chooser.current?.click()}>
          {state.kind === "idle" || state.kind === "hashing" ? c.choose : c.another}
        </button>
        {state.kind === "hashing" && (
          <button type="button" class="quiet" onClick={stop}>
            {c.stop}
          </button>
        )}
      </div>
      <input
        ref={chooser}
        type="file"
        hidden
        aria-label={c.choose}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) void check(file);
          event.currentTarget.value = "";
        }}
      />
      {state.kind === "hashing" && <Hashing file={state.file} read={state.read} />}
      <div role="status" class="result">
        {state.kind === "done" && (
          <Answer file={state.file} comparison={state.comparison} expected={expected} />
        )}
        {state.kind === "unreadable" && <AnswerNote isSame={false} text={c.unreadable(state.file.name)} />}
      </div>
    </div>
  );
}

/** Files can be dropped anywhere on the page. Without this, the browser would leave the page and show the file. */
function useDrops(onOver: (isOver: boolean) => void, onFile: (file: File) => void): void {
  const drop = useRef(onFile);
  drop.current = onFile;
  useEffect(() => {
    let depth = 0;
    const listeners: Record<string, (event: DragEvent) => void> = {
      dragenter: () => onOver(++depth > 0),
      dragleave: () => onOver(--depth > 0),
      dragover: () => undefined,
      drop: (event) => {
        depth = 0;
        onOver(false);
        const file = event.dataTransfer?.files[0];
        if (file) drop.current(file);
      },
    };
    const handle = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      listeners[event.type]!(event);
    };
    const types = Object.keys(listeners) as "drop"[];
    for (const type of types) document.addEventListener(type, handle);
    return () => {
      for (const type of types) document.removeEventListener(type, handle);
    };
  }, []);
}

const Hashing = ({ file, read }: { file: File; read: number }) => (
  <>
    <progress aria-label={c.hashing(file.name)} value={read} max={Math.max(1, file.size)} />
    <p class="muted small">
      {c.hashing(file.name)}: {c.progress(bytes(read), bytes(file.size))}
    </p>
  </>
);

function answerOf(file: File, { isSame, isUnzipped, bytes: has }: Comparison, expected: Expected): string {
  if (isSame) return isUnzipped ? c.sameZipped(file.name) : c.same(file.name);
  if (!isUnzipped && /\.gz$/i.test(file.name)) return c.damagedZip(file.name);
  if (has === 0 && expected.bytes > 0) return c.emptyFile(file.name);
  if (has === expected.bytes) return c.different(file.name);
  return (has < expected.bytes ? c.shorter : c.longer)(file.name, has, expected.bytes);
}

interface AnswerProps {
  file: File;
  comparison: Comparison;
  expected: Expected;
}

const Answer = ({ file, comparison, expected }: AnswerProps) => (
  <AnswerNote isSame={comparison.isSame} text={answerOf(file, comparison, expected)}>
    {comparison.sha256 && <p class="mono break small">{comparison.sha256}</p>}
  </AnswerNote>
);

function AnswerNote({
  isSame,
  text,
  children,
}: {
  isSame: boolean;
  text: string;
  children?: ComponentChildren;
}) {
  return (
    <div class={`note outcome ${isSame ? "complete" : "failed"}`}>
      <div>
        <strong class={`verdict ${isSame ? "complete" : "failed"}`}>
          <Icon name={isSame ? "good" : "bad"} /> {isSame ? c.yes : c.no}
        </strong>
        <p>{text}</p>
        {children}
      </div>
    </div>
  );
}

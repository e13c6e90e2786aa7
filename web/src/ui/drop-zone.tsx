// A page on which files can be dropped.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../strings";

interface Props {
  onFiles: (files: File[]) => void;
  children: ComponentChildren;
  /** What the page says while files are above it. */
  text?: string;
}

/** Receives the files that are dropped anywhere on the page. */
export function DropZone({ onFiles, children, text = t.upload.drop }: Props) {
  const [isOver, setOver] = useState(false);
  const drop = useRef(onFiles);
  drop.current = onFiles;
  useEffect(() => {
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const set = (next: number) => {
      depth = Math.max(0, next);
      setOver(depth > 0);
    };
    const handlers: [string, (event: DragEvent) => void][] = [
      ["dragenter", (event) => hasFiles(event) && set(depth + 1)],
      ["dragleave", (event) => hasFiles(event) && set(depth - 1)],
      ["dragover", (event) => hasFiles(event) && event.preventDefault()],
      [
        "drop",
        (event) => {
          if (!hasFiles(event)) return;
          event.preventDefault();
          set(0);
          // A folder is no file: it has no bytes to send.
          const items = [...(event.dataTransfer?.items ?? [])];
          const isFolder = (item: DataTransferItem | undefined) =>
            item?.webkitGetAsEntry?.()?.isDirectory ?? false;
          drop.current([...(event.dataTransfer?.files ?? [])].filter((_, index) => !isFolder(items[index])));
        },
      ],
    ];
    for (const [name, handler] of handlers) addEventListener(name, handler as EventListener);
    return () => {
      for (const [name, handler] of handlers) removeEventListener(name, handler as EventListener);
    };
  }, []);
  return (
    <>
      {children}
      {isOver && <div class="drop-cover">{text}</div>}
    </>
  );
}

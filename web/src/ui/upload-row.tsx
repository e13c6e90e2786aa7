// The row of an upload.

import { useRef, useState } from "preact/hooks";
import { bytes, duration } from "../format";
import { Problem } from "../net";
import { t } from "../strings";
import * as uploading from "../upload";
import type { Item } from "../upload";
import { Icon, Name, ProblemNote } from "./base";

const u = t.upload;

/** Statuses of problems that the same bytes under the same name meet again. */
const LASTING = [400, 413, 415, 422];

/** `isElsewhere`: the list below does not show active files. */
export function UploadRow({ item, isElsewhere }: { item: Item; isElsewhere: boolean }) {
  const { key, name, size, sent, speed, status, problem } = item;
  const chooser = useRef<HTMLInputElement>(null);
  const [wrong, setWrong] = useState<Problem | null>(null);
  const left = speed ? duration((size - sent) / speed) : "";
  const isRefused = status === "failed" && LASTING.includes(problem?.status ?? 0);
  // A link that has ended, or that takes no more files.
  const isOver = status === "failed" && problem?.status === 410;
  const facts = [
    status === "done" && isElsewhere
      ? u.doneElsewhere
      : status === "needsFile" && sent === 0
        ? u.expired
        : u.status[isRefused ? "refused" : status],
    status !== "failed" && status !== "queued" && u.sentOf(bytes(sent), bytes(size)),
    status === "sending" && speed !== null && u.speed(bytes(speed)),
    status === "sending" && left && u.left(left),
  ];
  const isRunning = status === "sending" || status === "waiting" || status === "queued";
  return (
    <li class={`upload ${status}`}>
      <div class="what">
        <Name>{name}</Name>
        {status !== "done" && status !== "failed" && (
          <progress aria-label={u.progress(name)} value={sent} max={size || 1} />
        )}
        <span class="muted small">{facts.filter(Boolean).join(" · ")}</span>
      </div>
      <div class="row">
        {isRunning && (
          <button
            type="button"
            class="quiet square"
            aria-label={u.pause(name)}
            onClick={() => uploading.pause(key)}
          >
            <Icon name="pause" />
          </button>
        )}
        {status === "paused" && (
          <button
            type="button"
            class="quiet square"
            aria-label={u.resume(name)}
            onClick={() => uploading.resume(key)}
          >
            <Icon name="play" />
          </button>
        )}
        {status === "failed" && !isRefused && !isOver && (
          <button
            type="button"
            class="quiet square"
            aria-label={u.retry(name)}
            onClick={() => uploading.resume(key)}
          >
            <Icon name="retry" />
          </button>
        )}
        {status === "needsFile" && (
          <>
            <button type="button" onClick={() => chooser.current?.click()}>
              {u.chooseAgain}
            </button>
            <input
              ref={chooser}
              type="file"
              hidden
              aria-label={u.chooseAgain}
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                event.currentTarget.value = "";
                if (!file) return;
                const isSame = uploading.giveFile(key, file);
                setWrong(
                  isSame ? null : new Problem(0, "other_file", u.otherFileTitle, u.otherFileDetail(name)),
                );
              }}
            />
          </>
        )}
        <button
          type="button"
          class="quiet square"
          aria-label={status === "done" || isRefused || isOver ? u.remove(name) : u.cancel(name)}
          onClick={() => void uploading.remove(key)}
        >
          <Icon name="close" />
        </button>
      </div>
      {(wrong ?? problem) && <ProblemNote problem={(wrong ?? problem)!} />}
    </li>
  );
}

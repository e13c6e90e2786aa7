// Rows of uploads, and what is shown under a file that was just uploaded.

import { useRef, useState } from "preact/hooks";
import type { FileView, Problem } from "../api";
import { Problem as MakeProblem } from "../api";
import { bytes, duration } from "../format";
import { t } from "../strings";
import * as uploading from "../upload";
import type { Item } from "../upload";
import { Icon, Name, ProblemNote } from "./base";
import { Findings, Summary, hasFindings } from "./reading";

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
        {status === "failed" && !isRefused && (
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
                  isSame ? null : new MakeProblem(0, "other_file", u.otherFileTitle, u.otherFileDetail(name)),
                );
              }}
            />
          </>
        )}
        <button
          type="button"
          class="quiet square"
          aria-label={status === "done" || isRefused ? u.remove(name) : u.cancel(name)}
          onClick={() => void uploading.remove(key)}
        >
          <Icon name="close" />
        </button>
      </div>
      {(wrong ?? problem) && <ProblemNote problem={(wrong ?? problem)!} />}
    </li>
  );
}

interface UploadedProps {
  item: Item;
  file: FileView;
  onChange: () => void;
  onChanged: (file: FileView) => void;
}

/** What was assumed of a file that was just uploaded. */
export function UploadedNote({ item, file, onChange, onChanged }: UploadedProps) {
  const r = t.reading;
  const { profile } = item;
  const isCalm = typeof profile !== "object" || !hasFindings(profile);
  return (
    <div class={isCalm ? "uploaded calm" : "uploaded"}>
      <div role="status">
        {profile === "loading" && <p class="muted">{r.working}</p>}
        {profile === "none" && <p class="muted">{r.notReady}</p>}
        {typeof profile === "object" && (
          <>
            {profile.dialect && <Summary dialect={profile.dialect} />}
            <Findings file={file} profile={profile} onChanged={onChanged} />
          </>
        )}
      </div>
      <span class="row">
        <button type="button" class="small" onClick={onChange}>
          {r.change}
        </button>
        <button
          type="button"
          class="quiet square"
          aria-label={u.remove(file.filename)}
          onClick={() => void uploading.remove(item.key)}
        >
          <Icon name="close" />
        </button>
      </span>
    </div>
  );
}

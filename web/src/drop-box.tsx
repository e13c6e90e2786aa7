// A link for uploads: somebody without an account sends files.

import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, when } from "./format";
import { Problem } from "./net";
import { linkTarget } from "./shared";
import type { SharedInfo } from "./shared";
import { s } from "./shared-strings";
import { DropZone } from "./ui/drop-zone";
import { Field, Icon, ProblemNote, useStore } from "./ui/base";
import { UploadRow } from "./ui/upload-row";
import * as uploading from "./upload";

const d = s.drop;

interface Props {
  token: string;
  info: SharedInfo;
  /** Why the link takes nothing more. */
  problem: Problem | null;
  /** Reads the facts about the link again. */
  onChanged: () => Promise<void>;
}

export function DropBox({ token, info, problem, onChanged }: Props) {
  const uploads = useStore(uploading.uploads, uploading.onUploads);
  const password = useRef<string | null>(null);
  const [hasPassword, setHasPassword] = useState(!info.passwordRequired);
  const [isWrong, setWrong] = useState(false);
  const [isReady, setReady] = useState(false);
  const [tooMany, setTooMany] = useState<Problem | null>(null);
  // Files that were chosen before they can be sent.
  const early = useRef<File[]>([]);
  const chooser = useRef<HTMLInputElement>(null);
  const latest = useRef(info);
  latest.current = info;

  useEffect(() => {
    const refuse = ({ name, size }: File): Problem | null => {
      const most = latest.current.maxBytes;
      if (typeof most !== "number" || size <= most) return null;
      return new Problem(413, "too_large", d.tooLargeTitle, d.tooLarge(name, bytes(size), bytes(most)));
    };
    linkTarget(token, () => password.current, refuse)
      .then(uploading.beginUploads)
      .then(() => setReady(true));
  }, [token]);

  const done = uploads.filter(({ status }) => status === "done").length;
  const open = uploads.filter(({ status }) => !["done", "failed"].includes(status)).length;
  // Files that are stored count as uses of the link. An end of the link shows only after a request.
  const ended = uploads.filter((item) => item.problem?.status === 410).length;
  useEffect(() => {
    if (done + ended > 0) void onChanged();
  }, [done, ended]);

  // The server refused the password: the page asks for it again.
  const refused = uploads.filter((item) => item.status === "failed" && item.problem?.status === 403);
  useEffect(() => {
    if (refused.length === 0 || !info.passwordRequired || password.current === null) return;
    password.current = null;
    setHasPassword(false);
    setWrong(true);
  }, [refused.length]);

  const isOver = problem !== null && (problem.status === 410 || problem.status === 404);
  const isFull = isOver && done > 0 && open === 0;
  const left = typeof info.usesLeft === "number" ? Math.max(0, info.usesLeft - open) : Infinity;
  const add = (files: File[]) => {
    setTooMany(null);
    if (isOver) return;
    if (!isReady || !hasPassword) {
      early.current.push(...files);
      return;
    }
    // A file that was begun before a reload takes no other place.
    const known = files.filter((file) =>
      uploads.some(
        ({ name, size, status }) => status === "needsFile" && name === file.name && size === file.size,
      ),
    );
    const others = files.filter((file) => !known.includes(file));
    const taken = others.slice(0, left);
    uploading.addFiles([...known, ...taken]);
    if (taken.length < others.length)
      setTooMany(new Problem(0, "too_many", d.tooManyTitle, d.tooMany(left, taken.length)));
  };
  useEffect(() => {
    if (isReady && hasPassword && early.current.length > 0) add(early.current.splice(0));
  }, [isReady, hasPassword]);
  const enter = (text: string) => {
    password.current = text;
    setHasPassword(true);
    setWrong(false);
    for (const { key } of refused) uploading.resume(key);
  };
  const types = (info.contentTypes ?? []).map((type) => d.types[type] ?? type);
  const most = typeof info.maxBytes === "number" ? bytes(info.maxBytes) : null;
  return (
    <DropZone onFiles={add} text={d.over}>
      <main class="page" tabIndex={-1}>
        <h1>{info.name ? <bdi class="name">{info.name}</bdi> : d.title}</h1>
        {!isOver && (
          <div class="stack facts-line">
            <p>{d.takes(types, most)}</p>
            <p class="muted" role="status">
              {typeof info.usesLeft === "number" && d.left(info.usesLeft)}{" "}
              {info.expiresAt && s.until(when(info.expiresAt))}
            </p>
          </div>
        )}
        {isFull && (
          <div class="note done" role="status">
            <Icon name="good" />
            <div>
              <strong>{d.overTitle}</strong>
              <p>
                {d.arrived(done)} {d.over1}
              </p>
            </div>
          </div>
        )}
        {problem && !isFull && <ProblemNote problem={problem} />}
        {!isOver && !hasPassword && <PasswordForm isWrong={isWrong} onEnter={enter} />}
        {!isOver && hasPassword && (
          <div class="empty drop">
            <Icon name="upload" />
            <p>{d.place}</p>
            <button type="button" class="primary" onClick={() => chooser.current?.click()}>
              {d.choose}
            </button>
            <input
              ref={chooser}
              type="file"
              accept=".csv,.tsv,.tab,.txt,text/csv,text/tab-separated-values"
              multiple={left > 1}
              hidden
              aria-label={d.choose}
              onChange={(event) => {
                add([...(event.currentTarget.files ?? [])]);
                event.currentTarget.value = "";
              }}
            />
          </div>
        )}
        {tooMany && <ProblemNote problem={tooMany} />}
        {uploads.length > 0 && (
          <ul class="list" aria-label={d.list}>
            {uploads.map((item) => (
              <UploadRow key={item.key} item={item} isElsewhere={false} />
            ))}
          </ul>
        )}
      </main>
    </DropZone>
  );
}

function PasswordForm({ isWrong, onEnter }: { isWrong: boolean; onEnter: (text: string) => void }) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isWrong) input.current?.focus();
  }, [isWrong]);
  return (
    <form
      class="stack open-form"
      onSubmit={(event) => {
        event.preventDefault();
        onEnter(text);
      }}
    >
      <Field label={d.passwordTitle} hint={d.passwordText} error={isWrong ? d.wrong : undefined}>
        {(attributes) => (
          <input
            {...attributes}
            ref={input}
            type="password"
            autocomplete="off"
            required
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      <button type="submit" class="primary">
        {d.continue}
      </button>
    </form>
  );
}

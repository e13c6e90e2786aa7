// The page `/shares`: everything that the user shares; `/shares?with=me`: the files that others share with the user.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as api from "./api";
import type { FileView, Problem, User } from "./api";
import { ago, bytes, when } from "./format";
import { AskDialog, ShareList } from "./share";
import { sh } from "./share-strings";
import * as sharing from "./sharing";
import { t } from "./strings";
import { Bar } from "./ui/bar";
import { Name, ProblemNote, problemFrom } from "./ui/base";
import { keepFocus } from "./ui/focus";
import { Frame } from "./ui/frame";
import { Pages, usePages } from "./ui/pages";

const p = sh.page;

function Page({ user }: { user: User }) {
  const isWithMe = new URLSearchParams(location.search).get("with") === "me";
  const [isAsking, setAsking] = useState(false);
  const [round, setRound] = useState(0);
  useEffect(() => {
    document.title = `${isWithMe ? sh.withMe : p.title} · ${t.product}`;
  }, []);
  return (
    <>
      <Bar user={user}>
        <a href="/">{t.files_.title}</a>
        <span aria-hidden="true">/</span>
        <span aria-current="page">{p.place}</span>
      </Bar>
      <main tabIndex={-1}>
        <div class="top">
          <h1>{isWithMe ? sh.withMe : p.title}</h1>
          {!isWithMe && (
            <button type="button" class="primary" onClick={() => setAsking(true)}>
              {sh.upload.button}
            </button>
          )}
        </div>
        <nav class="tabs" aria-label={p.tabs}>
          <a href="/shares" aria-current={isWithMe ? undefined : "page"}>
            {p.mine}
          </a>
          <a href="/shares?with=me" aria-current={isWithMe ? "page" : undefined}>
            {sh.withMe}
          </a>
        </nav>
        {isWithMe ? (
          <WithMe />
        ) : (
          <ShareList
            key={round}
            fileId={null}
            empty={
              <div class="empty">
                <h2>{sh.list.noneAtAll}</h2>
                <p>{sh.list.noneAtAllText}</p>
                <a class="button" href="/">
                  {p.toFiles}
                </a>
              </div>
            }
          />
        )}
      </main>
      {isAsking && <AskDialog onClose={() => setAsking(false)} onMade={() => setRound(round + 1)} />}
    </>
  );
}

function WithMe() {
  const pages = usePages<FileView>(sharing.listSharedWithMe, "");
  const empty = (
    <div class="empty">
      <h2>{p.noneWithMe}</h2>
      <p>{p.noneWithMeText}</p>
      <a class="button" href="/">
        {p.toFiles}
      </a>
    </div>
  );
  return (
    <div class="stack">
      <Pages pages={pages} class="with-me" label={sh.withMeFiles} empty={empty} more={p.more}>
        {(file) => <SharedRow key={file.id} file={file} />}
      </Pages>
    </div>
  );
}

function SharedRow({ file }: { file: FileView }) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const download = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      const link = document.createElement("a");
      link.href = await api.getDownload(file.id);
      link.download = "";
      link.click();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <li>
      <div class="what">
        <a class="open" href={`/cut?file=${encodeURIComponent(file.id)}`}>
          <Name>{file.filename}</Name>
        </a>
        <span class="muted small">
          {p.by(file.sharedBy ?? "")} · {p.may[file.may ?? "read"]}
        </span>
      </div>
      <span class="shape">
        {typeof file.rowCount === "number" && t.rows(file.rowCount)}
        {typeof file.columnCount === "number" && ` · ${t.columns(file.columnCount)}`}
      </span>
      <span class="size">{bytes(file.size)}</span>
      <time class="age muted" dateTime={file.createdAt} title={when(file.createdAt)}>
        {ago(file.createdAt)}
      </time>
      <button
        type="button"
        class="small"
        aria-label={p.download(file.filename)}
        aria-busy={isBusy}
        onClick={() => void download()}
      >
        {t.actions.download}
      </button>
      {problem && <ProblemNote problem={problem} />}
    </li>
  );
}

keepFocus();
render(<Frame>{(user) => <Page user={user} />}</Frame>, document.getElementById("app")!);

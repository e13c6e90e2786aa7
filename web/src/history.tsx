// The history of a file: who did what with it. The details of the file load this module when somebody opens it.

import { au } from "./audit-strings";
import { sentenceOf } from "./audit-words";
import { listHistory } from "./auditing";
import type { Entry } from "./auditing";
import { authState } from "./auth";
import { ago, when } from "./format";
import { deviceOf } from "./ui/device";
import { Icon } from "./ui/base";
import { Pages, usePages } from "./ui/pages";

const h = au.history;

export function History({ id }: { id: string }) {
  const pages = usePages<Entry>((cursor, signal) => listHistory(id, cursor, signal), id);
  const state = authState();
  const user = state.kind === "in" ? state.user.id : null;
  return (
    <div class="stack">
      <p class="row small muted">
        <span>{h.late}</span>
        <button
          type="button"
          class="small"
          aria-busy={pages.isLoading}
          onClick={() => !pages.isLoading && void pages.reload()}
        >
          {h.again}
        </button>
      </p>
      <Pages
        pages={{ ...pages, items: pages.items && grouped(pages.items) }}
        class="history"
        label={h.list}
        empty={<p class="muted">{h.empty}</p>}
        more={h.more}
      >
        {(entry) => <Row key={entry.id} entry={entry} user={user} />}
      </Pages>
    </div>
  );
}

interface Group extends Entry {
  /** The number of entries in a row that say the same. */
  times: number;
}

/** Looks further apart than this are shown one by one. */
const GROUP_MS = 10 * 60_000;

/** One look at a file is several requests. Entries of looks that follow each other become one, the newest. */
function grouped(entries: Entry[]): Group[] {
  const groups: Group[] = [];
  let previous: Entry | null = null;
  for (const entry of entries) {
    const group = groups.at(-1);
    if (group && previous && isSameLook(previous, entry)) group.times++;
    else groups.push({ ...entry, times: 1 });
    previous = entry;
  }
  return groups;
}

const isSameLook = (a: Entry, b: Entry): boolean =>
  a.action === "view" &&
  b.action === "view" &&
  a.success === b.success &&
  a.errorCode === b.errorCode &&
  a.principal === b.principal &&
  a.ipAddress === b.ipAddress &&
  a.userAgent === b.userAgent &&
  Math.abs(Date.parse(a.timestamp) - Date.parse(b.timestamp)) < GROUP_MS;

function Row({ entry, user }: { entry: Group; user: string | null }) {
  const { timestamp, success, ipAddress, userAgent, times } = entry;
  // The server shows address and browser only for what the user did.
  const hasSender = Boolean(ipAddress || userAgent);
  return (
    <li>
      <span class={success ? "line" : "line fault"}>
        {!success && <Icon name="bad" />}
        <span>
          <span>{sentenceOf(entry, user)}</span>
          {times > 1 && <span class="muted small"> {h.times(times)}</span>}
        </span>
      </span>
      <time class="small muted" dateTime={timestamp} title={when(timestamp)}>
        {ago(timestamp)}
      </time>
      {hasSender && (
        <span class="small muted" title={userAgent ?? undefined}>
          {ipAddress ? h.from(deviceOf(userAgent ?? null), ipAddress) : deviceOf(userAgent ?? null)}
        </span>
      )}
    </li>
  );
}

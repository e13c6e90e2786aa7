// The last sign-ins of the user, the attempts that failed, and other acts on the account.

import { au } from "./audit-strings";
import { codeWords, wordsOf } from "./audit-words";
import { listSignIns } from "./auditing";
import type { SignIn } from "./auditing";
import { ago, when } from "./format";
import { Icon } from "./ui/base";
import { deviceOf } from "./ui/device";
import { Pages, usePages } from "./ui/pages";

const s = au.signIns;

export function SignIns() {
  const pages = usePages<SignIn>(listSignIns, "");
  return (
    <section class="stack" aria-labelledby="sign-ins">
      <h3 id="sign-ins">{s.title}</h3>
      <p class="small muted">{s.hint}</p>
      <Pages
        pages={pages}
        class="history"
        label={s.list}
        empty={<p class="muted">{s.empty}</p>}
        more={s.more}
      >
        {(entry) => <Row key={entry.id} entry={entry} />}
      </Pages>
    </section>
  );
}

function Row({ entry }: { entry: SignIn }) {
  const { action, success, timestamp, error_code, ip_address, user_agent } = entry;
  // The server lists a failed sign-in only if the password was wrong.
  const isAttempt = action === "login" && !success;
  const [noun, done] = wordsOf(action);
  const failure = isAttempt ? s.wrongPassword : s.failed(noun);
  return (
    <li>
      <span class={success ? "line" : "line fault"}>
        {!success && <Icon name="bad" />}
        <span>
          {success ? done : <strong>{failure}</strong>}
          {isAttempt && ` ${s.wrongPasswordText}`}
          {!success && !isAttempt && error_code && ` (${codeWords(error_code)})`}
        </span>
      </span>
      <time class="small muted" dateTime={timestamp} title={when(timestamp)}>
        {ago(timestamp)}
      </time>
      <span class="small muted" title={user_agent ?? undefined}>
        <bdi>{deviceOf(user_agent ?? null)}</bdi>
        {ip_address && (
          <>
            {", "}
            {s.address(ip_address)}
          </>
        )}
      </span>
    </li>
  );
}

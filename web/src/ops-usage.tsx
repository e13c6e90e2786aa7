// The usage of all users in a month, and its export.

import { useState } from "preact/hooks";
import { au } from "./audit-strings";
import { listUsage } from "./auditing";
import type { Prices, UserMonth } from "./auditing";
import { bytes, cost, count, dateName, monthName } from "./format";
import { t } from "./strings";
import { Field, Name, ProblemNote } from "./ui/base";
import { Exports } from "./ui/exports";
import { usePages } from "./ui/pages";
import { Wide } from "./ui/wide";
import { us } from "./usage-strings";

const o = au.ops;
const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

const thisMonth = (): string => new Date().toISOString().slice(0, 7);

function monthOfAddress(): string {
  const month = new URLSearchParams(location.search).get("month") ?? "";
  return MONTH.test(month) ? month : thisMonth();
}

export function UsersUsage() {
  const [month, setMonth] = useState(monthOfAddress);
  const [isWrong, setWrong] = useState(false);
  const [prices, setPrices] = useState<Prices | null>(null);
  const pages = usePages<UserMonth>(async (cursor, signal) => {
    const page = await listUsage(month, cursor, signal);
    setPrices(page.prices);
    return page;
  }, month);
  const choose = (event: Event) => {
    const { value } = event.currentTarget as HTMLInputElement;
    const isMonth = MONTH.test(value);
    setWrong(!isMonth);
    if (!isMonth) return;
    setMonth(value);
    history.replaceState(null, "", `/ops?view=usage&month=${value}`);
  };
  const { items, next, problem, isLoading } = pages;
  return (
    <section class="stack" aria-label={o.usageTitle}>
      <div class="month">
        <Field label={o.month} error={isWrong ? o.monthError : undefined}>
          {(attributes) => (
            <input
              {...attributes}
              type="month"
              placeholder="2026-11"
              max={thisMonth()}
              value={month}
              onInput={choose}
            />
          )}
        </Field>
      </div>
      {!items && !problem && <p class="muted">{t.loading}</p>}
      {items?.length === 0 && !next && <p class="muted">{o.usageEmpty}</p>}
      {items && items.length > 0 && <Table month={month} items={items} isBusy={isLoading} />}
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => void pages.retry()}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      {next && !problem && (
        <div class="more">
          <button type="button" aria-busy={isLoading} onClick={() => !isLoading && void pages.more()}>
            {o.moreUsers}
          </button>
        </div>
      )}
      <p class="note">
        {prices?.pricesReadOn ? us.estimate(dateName(prices.pricesReadOn)) : us.estimateNoDate}
      </p>
      <h2>{o.exportTitle}</h2>
      <Exports
        choices={[{ label: o.exportCsv, filename: `usage-${month}.csv`, wanted: { kind: "usage", month } }]}
      />
    </section>
  );
}

function Table({ month, items, isBusy }: { month: string; items: UserMonth[]; isBusy: boolean }) {
  const h = o.heads2;
  const label = o.usageList(monthName(month));
  return (
    <Wide label={label}>
      <table class="months" aria-label={label} aria-busy={isBusy}>
        <thead>
          <tr>
            <th scope="col">{h.user}</th>
            {[h.operations, h.in, h.out, h.scanned, h.peak, h.cost].map((text) => (
              <th scope="col" class="number">
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <Row key={item.id} item={item} />
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Row({ item }: { item: UserMonth }) {
  const all = Object.values(item.operations ?? {});
  const failed = all.reduce((sum, { failed }) => sum + failed, 0);
  return (
    <tr>
      <th scope="row">
        <a href={`/ops?user=${encodeURIComponent(item.userId)}`} title={item.userId}>
          {item.username ? <Name>{item.username}</Name> : o.deletedUser}
        </a>
      </th>
      <td class="number">
        {count(all.reduce((sum, { count }) => sum + count, 0))}
        {failed > 0 && <span class="small muted"> {us.failedOf(failed)}</span>}
      </td>
      {[item.bytesIn, item.bytesOut, item.bytesScanned, item.storagePeakBytes].map((size) => (
        <td class="number" title={count(size ?? 0)}>
          {bytes(size ?? 0)}
        </td>
      ))}
      <td class="number">{item.costUsd && <strong>{cost(item.costUsd.total)}</strong>}</td>
    </tr>
  );
}

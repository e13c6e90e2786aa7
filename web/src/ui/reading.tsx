// What was assumed of a file, and what to do if it is wrong.

import { useState } from "preact/hooks";
import * as api from "../api";
import type { Dialect, FileView, Problem, Profile } from "../api";
import { count } from "../format";
import { t } from "../strings";
import { Icon, ProblemNote, problemFrom } from "./base";

const r = t.reading;

export function delimiterName(delimiter: string | null | undefined): string {
  if (delimiter === null || delimiter === undefined) return r.oneColumn;
  const known = r.delimiters[delimiter];
  return known ? r.separated(known) : r.delimiterOther(delimiter);
}

/** The line of the header, counted from 1. The API counts the skipped lines. */
export const headerText = (dialect: Dialect): string => {
  if (dialect.headerRow === false) return r.noHeader;
  return dialect.skipRows ? r.headerAfter(dialect.skipRows + 1) : r.header;
};

export const Summary = ({ dialect }: { dialect: Dialect }) => (
  <p>
    {r.summary(delimiterName(dialect.delimiter), dialect.encoding ?? "?")}, {headerText(dialect)}.
  </p>
);

/** Below this confidence the dialect is not certain. The API has the same limit in `X-Cutty-Notice`. */
const CERTAIN = 0.8;

const isUnsure = (dialect: Dialect | null | undefined): boolean =>
  dialect?.confidence !== undefined && dialect.confidence < CERTAIN;

export function warnings(profile: Profile): string[] {
  const { dialect } = profile;
  const found: string[] = [];
  if (profile.failure) found.push(r.failure(profile.failure.line));
  else if (profile.columns.length === 0 || profile.rowCount === 0) found.push(r.noRows);
  if (isUnsure(dialect)) found.push(r.unsure);
  if (dialect?.encodingSource === "detected" && !dialect.encoding?.startsWith("UTF-")) found.push(r.guessed);
  if (profile.rowsLong) found.push(r.rowsLong(profile.rowsLong));
  if (profile.rowsShort) found.push(r.rowsShort(profile.rowsShort));
  if (profile.rowsMalformed) found.push(r.rowsMalformed(profile.rowsMalformed));
  if (profile.undecodable) found.push(r.undecodable(profile.undecodable));
  if (profile.commentLines) found.push(r.commentLines(profile.commentLines));
  return found;
}

/** Whether there is something to decide. */
export const hasFindings = (profile: Profile): boolean =>
  warnings(profile).length > 0 || profile.suggestions.length > 0;

interface Props {
  file: FileView;
  profile: Profile;
  /** Receives the file after its dialect was changed. */
  onChanged: (file: FileView) => void;
}

/** Warnings, and suggestions that can be applied. */
export function Findings({ file, profile, onChanged }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const apply = async (dialect: api.DialectOptions) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      // The stored rules are replaced as a whole, so the other rules are sent again.
      const { dialectOptions } = await api.getFile(file.id);
      onChanged(await api.changeFile(file.id, { dialect: { ...dialectOptions, ...dialect } }));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  // Only the owner of a file changes how it is read.
  const isMine = !file.sharedBy;
  const suggestions = isMine ? profile.suggestions : [];
  return (
    <>
      {warnings(profile).map((text) => (
        <p class="warn line">
          <Icon name="warn" />
          <span>{text}</span>
        </p>
      ))}
      {suggestions.map(({ reason, records, dialect }) => (
        <p class="line">
          <Icon name="idea" />
          <span>{r.suggestion[reason]?.(records) ?? r.otherSuggestion(reason)}</span>
          <button type="button" class="small" aria-busy={isBusy} onClick={() => void apply(dialect)}>
            {r.apply[reason] ?? r.applyOther}
          </button>
        </p>
      ))}
      {isMine &&
        isUnsure(profile.dialect) &&
        profile.dialect?.alternatives?.map(({ delimiter, quote, confidence }) => (
          <p class="line">
            <Icon name="idea" />
            <span>{r.alternative(delimiterName(delimiter), Math.round(confidence * 100))}</span>
            <button
              type="button"
              class="small"
              aria-busy={isBusy}
              onClick={() =>
                void apply({ delimiter: delimiter ?? "none", quote: quote as api.DialectOptions["quote"] })
              }
            >
              {r.applyAlternative}
            </button>
          </p>
        ))}
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}

export const percent = (share: number): string => count(Math.round(share * 100));

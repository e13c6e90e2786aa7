// The text of a cell. What would not be seen, such as a NUL or a mark that turns the direction, is written out.

import { c } from "./cut-strings";
import type { Cell } from "./rows";

/** Characters of a cell that are in the document. */
const SHOWN = 300;

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]/;
const SPLIT = new RegExp(`(${HIDDEN.source})`);
const SIGNS: Record<string, string> = { "\n": "↵", "\r": "␍", "\t": "⇥" };

function sign(character: string): string {
  const code = character.charCodeAt(0);
  if (SIGNS[character]) return SIGNS[character];
  if (code < 32) return String.fromCharCode(0x2400 + code);
  if (code === 127) return "␡";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Writes out what cannot be seen. `keepLines` leaves the ends of lines as they are. */
export function Visible({ text, keepLines }: { text: string; keepLines?: boolean }) {
  if (!HIDDEN.test(text)) return <>{text}</>;
  return (
    <>
      {text.split(SPLIT).map((part, index) => {
        if (index % 2 === 0) return part;
        const isLine = keepLines && (part === "\n" || part === "\t");
        return isLine ? part : <i class="sign">{sign(part)}</i>;
      })}
    </>
  );
}

export function CellText({ cell, isRead }: { cell: Cell | undefined; isRead: boolean }) {
  if (cell === undefined) return isRead ? <i class="none">{c.grid.missing}</i> : <i class="wait" />;
  const text = typeof cell === "string" ? cell : cell.excerpt;
  if (text === "") return <i class="none">{c.grid.empty}</i>;
  if (text.trim() === "" && text.length < 40) return <i class="sign">{"␣".repeat(text.length)}</i>;
  return (
    <bdi>
      <Visible text={text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text} />
    </bdi>
  );
}

import { useEffect, useState } from "preact/hooks";
import { e } from "../export-strings";
import { Icon } from "./base";

const SHOWN_MS = 4000;

/** Copies a text, and says so. */
export function CopyButton({ text, label, class: look }: { text: string; label?: string; class?: string }) {
  const [result, setResult] = useState<"copied" | "failed" | null>(null);
  useEffect(() => setResult(null), [text]);
  useEffect(() => {
    if (result !== "copied") return;
    const timer = setTimeout(() => setResult(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [result]);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setResult("copied"),
      () => setResult("failed"),
    );
  return (
    <span class="copy">
      <button type="button" class={look} onClick={() => void copy()}>
        {label ?? e.copy.button}
      </button>
      <span role="status" class="small">
        {result === "copied" && (
          <span class="verdict complete">
            <Icon name="good" /> {e.copy.copied}
          </span>
        )}
        {result === "failed" && e.copy.failed}
      </span>
    </span>
  );
}

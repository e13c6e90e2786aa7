// A table that may be wider than the window: it scrolls, also with the keyboard.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  const ref = useRef<HTMLDivElement>(null);
  const [isCut, setCut] = useState(false);
  useEffect(() => {
    const box = ref.current!;
    const look = new ResizeObserver(() => setCut(box.scrollWidth > box.clientWidth));
    look.observe(box);
    for (const child of box.children) look.observe(child);
    return () => look.disconnect();
  }, []);
  // Without the place in the order of the Tab key, the keyboard cannot scroll.
  const attributes = isCut ? { role: "region" as const, "aria-label": label, tabIndex: 0 } : {};
  return (
    <div ref={ref} class="wide-table" {...attributes}>
      {children}
    </div>
  );
}

// Keeps the place of the keyboard: if the focused control disappears, its neighbour gets the focus. Without this, the
// browser begins again at the top of the page.

const CONTROLS = "a[href], button, input:not([type=file]), select, summary, [tabindex='0']";

const isUsable = (element: HTMLElement): boolean =>
  element.checkVisibility() && !element.matches(":disabled, [tabindex='-1']");

/** On a touch screen, a field that gets the focus opens the keyboard over the page. */
const opensKeyboard = (element: HTMLElement): boolean =>
  element.matches("input:not([type=checkbox])") && matchMedia("(pointer: coarse)").matches;

const controlsIn = (root: Element): HTMLElement[] =>
  [...root.querySelectorAll<HTMLElement>(CONTROLS)].filter((element) => isUsable(element));

/** In a row of the list, the name of the file. Elsewhere the control itself. */
const inRow = (control: HTMLElement): HTMLElement =>
  control.closest("li.file")?.querySelector<HTMLElement>(".open") ?? control;

const view = (): HTMLElement | null => document.querySelector("main");

function neighbour(lost: Element, records: MutationRecord[]): HTMLElement | null {
  if (lost.closest(".selection"))
    return document.querySelector<HTMLElement>(".list-head input:enabled") ?? view();
  if (lost.closest(".empty"))
    return document.querySelector<HTMLElement>(".list .open, .list button") ?? view();
  let gone: Node = lost;
  // The parent of what was removed may be removed, too.
  for (const record of records) {
    if (![...record.removedNodes].some((node) => node.contains(gone))) continue;
    gone = record.target;
    if (!gone.isConnected) continue;
    const before = record.previousSibling?.isConnected ? record.previousSibling : null;
    for (let parent: Element | null = record.target as Element; parent?.closest("main, dialog");) {
      const from: Node | null = parent === record.target ? before : gone;
      const all = controlsIn(parent).filter((control) => !opensKeyboard(control));
      const next = all.find(
        (control) =>
          !from ||
          (from.compareDocumentPosition(control) & Node.DOCUMENT_POSITION_FOLLOWING &&
            !from.contains(control)),
      );
      if (next) return inRow(next);
      // At the end of a group, the last control that is left. The whole view is no group.
      if (!parent.matches("main") && all.length > 0) return inRow(all.at(-1)!);
      gone = parent;
      parent = parent.parentElement;
    }
    return view();
  }
  return view();
}

export function keepFocus(): void {
  let last: Element | null = null;
  document.addEventListener("focusin", ({ target }) => (last = target as Element));
  // A click on an empty place takes the focus away on purpose.
  document.addEventListener("focusout", () =>
    setTimeout(() => {
      if (document.activeElement === document.body && last?.isConnected) last = null;
    }),
  );
  new MutationObserver((records) => {
    if (!last || last.isConnected) return;
    if (document.activeElement && document.activeElement !== document.body) return;
    const lost = last;
    last = null;
    neighbour(lost, records)?.focus({ preventScroll: true });
  }).observe(document.body, { childList: true, subtree: true });
}

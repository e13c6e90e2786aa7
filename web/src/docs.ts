// The page /docs works without this script. With it, the list of operations is open on wide windows, closes on a phone
// after a choice, and marks the section that was chosen.

const list = document.querySelector<HTMLDetailsElement>(".docs > nav > details")!;
const wide = matchMedia("(min-width: 60rem)");

const fit = (): void => void (list.open = wide.matches);

function mark(): void {
  for (const link of list.querySelectorAll<HTMLAnchorElement>("a")) {
    if (link.hash === location.hash && location.hash !== "") link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

wide.addEventListener("change", fit);
addEventListener("hashchange", mark);
list.addEventListener("click", ({ target }) => {
  if (!wide.matches && (target as Element).closest("a")) list.open = false;
});
fit();
mark();

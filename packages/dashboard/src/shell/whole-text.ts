// Text that its box cuts off: pointing at it shows all of it.
// Promises: on every screen, for whatever is cut with an ellipsis, measured when it is pointed at;
// a title that somebody wrote is left alone.
// Leaves to others: what is cut (style sheets); small screens wrap instead of cutting.

import { useEffect } from "react";

/** Marks titles made here, which may go when the text fits again. */
const MADE = "data-whole-text";

function show({ target }: Event): void {
  if (!(target instanceof Element)) return;
  for (let one: Element | null = target; one instanceof HTMLElement; one = one.parentElement) {
    const isOurs = one.hasAttribute(MADE);
    if (one.title !== "" && !isOurs) return;
    const isCut = one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "hidden";
    if (isCut) {
      one.title = one.textContent;
      one.setAttribute(MADE, "");
      return;
    }
    if (isOurs) one.removeAttribute("title");
  }
}

export function useWholeText(): void {
  useEffect(() => {
    document.addEventListener("pointerover", show);
    return () => document.removeEventListener("pointerover", show);
  }, []);
}

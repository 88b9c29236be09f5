// What a page looks like, measured inside it: width, text that is cut off, what can be reached.
// Promises: each measure returns the offenders as readable lines, so an empty list is the proof;
// runs in the page, on what is drawn now.
// Leaves to others: which page, which width, which theme (`screens.test.ts`).

import axe from "axe-core";
import type { Page } from "playwright-core";

/** What is there in the page only; the tests' compiler knows no browser. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
type Dom = any;

/** Rules of WCAG 2.0 to 2.2, A and AA, and the practices beside them. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Loads axe into the page that is there now. */
export async function loadAxe(page: Page): Promise<void> {
  await page.evaluate(axe.source);
}

/** What axe finds: a line per rule and place. */
export async function violations(page: Page): Promise<string[]> {
  const options = {
    resultTypes: ["violations"],
    runOnly: { type: "tag", values: TAGS },
    // Off by default, though WCAG 2.2 AA asks for it.
    rules: { "target-size": { enabled: true } },
  };
  const script = `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map(
      ({ target, failureSummary, html }) => id + " " + target.join(" ") + " " +
        html.slice(0, 160) + " " + failureSummary.split("\\n").slice(1, 3).join(" "))))`;
  return page.evaluate<string[]>(script);
}

/** What does not fit: the page scrolls sideways, text is cut unseen, a target is out of reach. */
export async function misfits(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(${measure.toString()})()`);
}

/**
 * Text may be cut by its box only where the box scrolls, or where pointing at it shows all of it.
 * A target must have its middle on the screen, under nothing else, once it is scrolled to.
 */
function measure(): string[] {
  const { document, innerWidth, getComputedStyle, PointerEvent } = globalThis as unknown as Dom;
  const found: string[] = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth)
    found.push(`page is ${root.scrollWidth} of ${innerWidth} wide`);
  const nameOf = (one: Dom): string =>
    `<${one.tagName.toLowerCase()} class="${one.getAttribute("class") ?? ""}"> ` +
    String(one.getAttribute("aria-label") ?? one.textContent).slice(0, 60);
  const isSeen = (one: Dom): boolean =>
    one.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) &&
    one.getClientRects().length > 0;
  for (const one of document.querySelectorAll("body *")) {
    const { overflowX, clipPath } = getComputedStyle(one);
    const isCut = one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0;
    if (!isCut || !["hidden", "clip"].includes(overflowX) || clipPath !== "none") continue;
    if (!isSeen(one) || one.textContent.trim() === "" || one.closest("[aria-hidden=true]"))
      continue;
    one.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    const told = [one.closest("[title]"), ...one.querySelectorAll("[title]")];
    if (told.every((holder) => !holder?.title)) found.push(`text is cut: ${nameOf(one)}`);
  }
  const targets = document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [role=tab]",
  );
  for (const one of targets) {
    if (!isSeen(one) || one.matches(":disabled, .sb-skip")) continue;
    one.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = one.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height / 2, 40)];
    const hit = document.elementFromPoint(x, y);
    const isOurs = hit !== null && (one.contains(hit) || hit.contains(one) || hit.closest("label"));
    if (!isOurs) found.push(`out of reach: ${nameOf(one)}`);
  }
  for (const one of document.querySelectorAll("*")) {
    if (one.scrollTop > 0 || one.scrollLeft > 0) one.scrollTo(0, 0);
  }
  return found;
}

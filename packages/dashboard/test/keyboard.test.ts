// The keyboard alone: the main action of every screen that has one, reached with Tab and done.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { setDesk } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { makeFleet } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { screens } from "./screens.ts";
import { hasBrowser, loaded, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

/** More stops than any screen has before its main action. */
const MOST_STOPS = 120;

/** What has the focus: its name; and whether a person can see where they are. */
const focused = `(() => {
  const one = document.activeElement;
  const box = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  const hit = document.elementFromPoint(
    Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1),
    Math.min(Math.max(box.top + Math.min(box.height, 40) / 2, 0), innerHeight - 1));
  const isField = one.matches("input, select, textarea");
  return {
    name: one.getAttribute("aria-label") ?? one.textContent.trim(),
    isMarked: isField || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
    isInSight: hit !== null && (one.contains(hit) || hit.contains(one)),
  };
})()`;

type Focused = { readonly name: string; readonly isMarked: boolean; readonly isInSight: boolean };

// There is nothing to press without a browser.
describe.skipIf(!hasBrowser)("keyboard", () => {
  let stage: Stage;
  let fleet: Fleet & Desk;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    fleet = { ...(await makeFleet(stage.client)), ...(await setDesk(stage)) };
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
    await signIn(stage, page);
  });
  afterAll(async () => {
    await fleet?.end();
    await fleet?.endDesk();
    await stage?.close();
  });

  /** Tab by Tab to what has this name; every stop on the way can be seen. */
  const reach = async (name: string): Promise<void> => {
    for (let stop = 0; stop < MOST_STOPS; stop += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate<Focused>(focused);
      expect(at).toMatchObject({ isMarked: true, isInSight: true });
      if (at.name === name) return;
    }
    throw new Error(`${name} was not reached in ${MOST_STOPS} stops`);
  };

  const acting = screens.flatMap((screen) =>
    screen.act === null ? [] : [{ ...screen, button: screen.act[0], after: screen.act[1] }],
  );

  // The last first: what is done on a screen must not end what another is about.
  test.each(acting.toReversed())("$name: $button", async ({ address, ready, button, after }) => {
    await page.goto(address(fleet));
    await page.getByText(ready).first().waitFor({ state: "attached" });
    await loaded(page);
    await reach(button);
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").first().waitFor();
    await page.keyboard.type("because it was asked for");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await page.locator("#screen").getByText(after).first().waitFor();
    expect(await watched.faults()).toEqual([]);
  });

  test("the first Tab leads past the navigation", async () => {
    await page.goto("/runs");
    await loaded(page);
    await page.keyboard.press("Tab");
    expect((await page.evaluate<Focused>(focused)).name).toBe("Skip to the screen");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    const isInside = `document.querySelector("#screen").contains(document.activeElement)`;
    expect(await page.evaluate(isInside)).toBe(true);
  });
});

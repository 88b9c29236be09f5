// Every screen of the table, at four widths and in both themes: nothing that axe finds, nothing
// that does not fit, nothing that breaks the page's policy, nothing asked of any other server.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { setDesk } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { makeFleet } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { loadAxe, misfits, violations } from "./looks.ts";
import { screens } from "./screens.ts";
import { hasBrowser, loaded, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

const WIDTHS = [360, 768, 1440, 2560];

// There is no screen without a browser.
describe.skipIf(!hasBrowser)("screens", () => {
  let stage: Stage;
  let fleet: Fleet & Desk;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    fleet = { ...(await makeFleet(stage.client)), ...(await setDesk(stage)) };
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
  });
  afterAll(async () => {
    await fleet?.end();
    await fleet?.endDesk();
    await stage?.close();
  });

  /** Widths first, themes at the widest and the narrowest. */
  const look = async (): Promise<string[]> => {
    const found: string[] = [];
    await loadAxe(page);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: width < 768 ? 780 : 900 });
      const seen: string[] = [];
      if (width === 360 || width === 1440) {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
          seen.push(...(await violations(page)).map((one) => `${colorScheme}: ${one}`));
        }
      }
      seen.push(...(await misfits(page)));
      found.push(...seen.map((one) => `${width}: ${one}`));
    }
    return found;
  };

  test("sign-in", async () => {
    await page.goto("/");
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    expect(await look()).toEqual([]);
    expect(await watched.faults()).toEqual([]);
    await page.setViewportSize({ width: 1440, height: 900 });
    await signIn(stage, page);
  });

  test.each(screens)("$name", async ({ address, ready }) => {
    await page.goto(address(fleet));
    await page.getByText(ready).first().waitFor({ state: "attached" });
    await loaded(page);
    expect(await look()).toEqual([]);
    expect(await watched.faults()).toEqual([]);
  });

  test("would be found: what does not fit, what is cut, what cannot be reached", async () => {
    await page.evaluate(`(() => {
      const make = (text, css, tag = "p") => {
        const one = document.createElement(tag);
        one.textContent = text;
        Object.assign(one.style, css);
        document.querySelector("#screen").append(one);
        return one;
      };
      const cut = { width: "90px", overflow: "hidden", whiteSpace: "nowrap" };
      const off = make("a long text that is cut off by its box", cut);
      off.addEventListener("pointerover", (event) => event.stopPropagation());
      make("wide", { width: "4000px" });
      make("covered", { position: "fixed", top: "0", left: "0", zIndex: "1" }, "button");
      make("", { position: "fixed", inset: "0", zIndex: "2" });
      make("pale", { color: "#bbb", background: "#ccc" });
    })()`);
    const found = (await misfits(page)).join("\n");
    expect(found).toMatch(/page is \d+ of 2560 wide/);
    expect(found).toContain('text is cut: <p class=""> a long text');
    expect(found).toContain('out of reach: <button class=""> covered');
    expect((await violations(page)).join("\n")).toContain("color-contrast");
  });
});

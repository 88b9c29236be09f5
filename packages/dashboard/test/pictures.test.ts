// Pictures of every screen, in both themes and at four widths, to be looked at: `npm run pictures`.
// They go to the folder named by SIGNALBOX_PICTURES; without it none is taken.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { setDesk } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { screens } from "./screens.ts";
import { makeShowcase } from "./showcase.ts";
import type { Showcase } from "./showcase.ts";
import { hasBrowser, loaded, openPage, openStage, picture, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

const WIDTHS = [360, 768, 1440, 2560];
const isWanted = process.env["SIGNALBOX_PICTURES"] !== undefined;

// Pictures prove nothing by themselves; they are taken when somebody wants to look at them.
describe.skipIf(!hasBrowser || !isWanted)("pictures", () => {
  let stage: Stage;
  let fleet: Showcase;
  let desk: Desk;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    fleet = await makeShowcase(stage.client);
    desk = await setDesk(stage);
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
  });
  afterAll(async () => {
    await fleet?.end();
    await desk?.endDesk();
    await stage?.close();
  });

  const take = async (name: string): Promise<void> => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width < 768 ? 780 : 900 });
        // Two frames: one that measures, one that draws what was measured.
        await page.evaluate(
          "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
        );
        await page.screenshot({ path: picture(`${name}-${colorScheme}-${width}`) });
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  };

  test("sign-in", async () => {
    await page.goto("/");
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await take("sign-in");
    await signIn(stage, page);
  });

  test.each(screens)("$name", async ({ name, address }) => {
    await page.goto(address({ ...fleet.ids, webhook: desk.webhook }));
    await loaded(page);
    await page.getByText("live", { exact: true }).first().waitFor();
    await take(name);
    expect(await watched.faults()).toEqual([]);
  });

  test("dialogs: the stop, the palette, the keys", async () => {
    await page.goto("/");
    await loaded(page);
    await page.getByRole("button", { name: "Stop all …" }).click();
    await page.getByRole("dialog").waitFor();
    await take("dialog-stop");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Screen, agent, run_…, action").fill("r");
    await take("dialog-palette");
  });
});

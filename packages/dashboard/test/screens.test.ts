// Every screen, in both themes: nothing that axe finds, nothing that breaks the page's policy,
// nothing asked of any other server; and a picture of each at four widths, to be looked at.

import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setDesk } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { makeFleet } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { hasBrowser, openPage, openStage, picture, signIn } from "./stage.ts";
import type { Stage } from "./stage.ts";

const WIDTHS = [360, 768, 1440, 2560];

/** Screen → address and what is there when it is ready. */
const screens: readonly (readonly [string, (fleet: Fleet & Desk) => string, string])[] = [
  ["fleet", () => "/", "text=Fix"],
  ["runs", () => "/runs", "text=Archive thread 40"],
  ["run-live", ({ live }) => `/runs/${live}`, "text=14 files changed"],
  ["run-failed", ({ failed }) => `/runs/${failed}?tab=attempts`, "text=attempt 2"],
  ["run-pending", ({ pending }) => `/runs/${pending}`, "text=Timeline"],
  ["run-usage", ({ completed }) => `/runs/${completed}?tab=usage`, "text=opus-5"],
  ["run-documents", ({ completed }) => `/runs/${completed}?tab=documents`, "text=Checkpoint"],
  ["run-events", ({ completed }) => `/runs/${completed}?tab=events`, "text=run.completed"],
  ["run-commands", ({ completed }) => `/runs/${completed}?tab=commands`, "text=curl"],
  ["approvals", () => "/approvals", "text=billing"],
  ["approvals-history", () => "/approvals?view=history", "text=not on a Friday"],
  ["dead-letters", () => "/dead-letters", "text=ETIMEDOUT"],
  ["dead-letters-group", ({ group }) => `/dead-letters/${group}`, "text=10.0.3."],
  ["run-asking", ({ asking }) => `/runs/${asking}`, "text=Expires"],
  ["usage", () => "/usage", "text=Consumed"],
  ["queues", () => "/queues", "text=archive"],
  ["runtimes", () => "/runtimes", "text=host-1"],
  ["accounts", () => "/accounts", "text=anthropic/max-1"],
  ["webhooks", () => "/webhooks", "text=/hook"],
  ["webhook", ({ webhook }) => `/webhooks/${webhook}`, "text=webhook.test"],
  ["audit", () => "/audit", "text=queue.paused"],
  ["health", () => "/health", "text=servers sweep"],
  ["settings", () => "/settings", "text=build-7"],
];

// There is no screen without a browser.
describe.skipIf(!hasBrowser)("screens", () => {
  let stage: Stage;
  let fleet: Fleet & Desk;
  beforeAll(async () => {
    stage = await openStage();
    fleet = { ...(await makeFleet(stage.client)), ...(await setDesk(stage)) };
  });
  afterAll(async () => {
    await fleet?.end();
    await fleet?.endDesk();
    await stage?.close();
  });

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test("every screen passes axe and keeps the policy", { timeout: 240_000 }, async () => {
      const { page, faults } = await openPage(stage, {
        colorScheme,
        reducedMotion: "reduce",
        viewport: { width: 1440, height: 900 },
      });
      const found: string[] = [];
      const look = async (name: string): Promise<void> => {
        await page.evaluate(axe.source);
        found.push(...(await page.evaluate<string[]>(violations)).map((one) => `${name}: ${one}`));
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: width < 768 ? 780 : 900 });
          await page.screenshot({ path: picture(`${name}-${colorScheme}-${width}`) });
        }
        await page.setViewportSize({ width: 1440, height: 900 });
      };
      await page.goto("/");
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      await look("sign-in");
      await signIn(stage, page);
      for (const [name, address, ready] of screens) {
        await page.goto(address(fleet));
        await page.locator(ready).first().waitFor({ state: "attached" });
        await page.locator("[aria-label=Loading]").waitFor({ state: "detached" });
        await look(name);
      }
      expect(found).toEqual([]);
      expect(await faults()).toEqual([]);
      await page.context().close();
    });
  });
});

/** Rules that find something, each with the first places. */
const violations = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map(
    ({ target, failureSummary, html }) => id + " " + target.join(" ") + " " + html.slice(0, 160) +
      " " + failureSummary.split("\\n").slice(1, 3).join(" "))))`;

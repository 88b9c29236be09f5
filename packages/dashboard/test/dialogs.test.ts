// The dialogs of approvals and dead letters, open, in both themes: nothing that axe finds.

import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePeople } from "./people.ts";
import type { People } from "./people.ts";
import { hasBrowser, openPage, openStage, picture, signIn } from "./stage.ts";
import type { Stage } from "./stage.ts";

const violations = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html }) => id + " " + html)))`;

/** Name, address, the button that opens it, what is there then. */
const dialogs: readonly (readonly [string, string, RegExp, string])[] = [
  ["approve", "/approvals", /^Approve …/, "exactly as it was asked"],
  ["reject", "/approvals", /^Reject …/, "the run ends cancelled"],
  ["edit", "/approvals", /^Edit and approve …/, "What changes"],
  ["redrive", "/dead-letters?queue=deploy", /^Redrive all 6/, "Which ones"],
  ["discard", "/dead-letters?queue=deploy", /^Discard all 6/, "waits for nobody"],
];

// There is no screen without a browser.
describe.skipIf(!hasBrowser)("dialogs", () => {
  let stage: Stage;
  let people: People;
  beforeAll(async () => {
    stage = await openStage();
    people = await makePeople(stage.client);
  });
  afterAll(async () => {
    await people?.end();
    await stage?.close();
  });

  test.each(["light", "dark"] as const)("pass axe in %s", { timeout: 120_000 }, async (theme) => {
    const viewport = { width: 1440, height: 900 };
    const options = { colorScheme: theme, reducedMotion: "reduce", viewport } as const;
    const { page, faults } = await openPage(stage, options);
    await signIn(stage, page);
    const found: string[] = [];
    for (const [name, address, opens, ready] of dialogs) {
      await page.goto(address);
      await page.getByRole("button", { name: opens }).first().click();
      await page.getByRole("dialog").getByText(ready).waitFor();
      await page.evaluate(axe.source);
      found.push(...(await page.evaluate<string[]>(violations)).map((one) => `${name}: ${one}`));
      for (const width of [360, 1440]) {
        await page.setViewportSize({ ...viewport, width });
        await page.screenshot({ path: picture(`dialog-${name}-${theme}-${width}`) });
      }
      await page.setViewportSize(viewport);
    }
    expect(found).toEqual([]);
    expect(await faults()).toEqual([]);
    await page.context().close();
  });
});

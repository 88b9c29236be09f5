// The dialogs of an administrator's screens, opened in both themes: nothing that axe finds; and a
// picture of each at two widths, to be looked at.

import axe from "axe-core";
import { Signalbox } from "@signalbox/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setDesk } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { hasBrowser, openPage, openStage, picture, signIn } from "./stage.ts";
import type { Stage } from "./stage.ts";

// There is nothing to open without a browser.
describe.skipIf(!hasBrowser)("an administrator's dialogs", () => {
  let stage: Stage;
  let desk: Desk;
  beforeAll(async () => {
    stage = await openStage();
    desk = await setDesk(stage);
  });
  afterAll(async () => {
    await desk?.endDesk();
    await stage?.close();
  });

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test("dialogs pass axe", { timeout: 120_000 }, async () => {
      const { id } = await new Signalbox({
        url: stage.url,
        key: stage.scene.keys.owner,
      }).webhooks.create({ url: desk.url, allow_private: true, types: ["slot.*"] });
      const { page, faults } = await openPage(stage, { colorScheme, reducedMotion: "reduce" });
      await signIn(stage, page, "/", stage.scene.keys.owner);
      const dialogs: readonly (readonly [string, string])[] = [
        ["/webhooks", "New webhook …"],
        ...["Edit …", "Rotate secret …", "Disable …", "Delete …"].map(
          (name) => [`/webhooks/${id}`, name] as const,
        ),
        ["/settings", "New key …"],
        ["/settings", "Rotate visitor"],
        ["/settings", "Revoke build-7"],
        ["/settings", "Change retention …"],
        ["/settings", "New project …"],
      ];
      const found: string[] = [];
      const look = async (name: string): Promise<void> => {
        await page.getByRole("dialog").waitFor();
        await page.evaluate(axe.source);
        const said = await page.evaluate<string[]>(violations);
        found.push(...said.map((one) => `${name}: ${one}`));
        const file = `dialog ${name} ${colorScheme}`.replaceAll(/[^a-z0-9]+/gi, "-");
        await page.screenshot({ path: picture(file.toLowerCase()) });
        await page.setViewportSize({ width: 360, height: 780 });
        await page.screenshot({ path: picture(`${file.toLowerCase()}-360`) });
        await page.setViewportSize({ width: 1280, height: 720 });
      };
      for (const [path, name] of dialogs) {
        await page.goto(path);
        await page.getByRole("button", { name, exact: true }).click();
        await look(name);
      }
      await page.goto("/settings");
      await page.getByRole("button", { name: "Rotate host-1", exact: true }).first().click();
      await page.getByRole("button", { name: "Make the new key", exact: true }).click();
      await page.getByRole("heading", { name: "Rotate host-1" }).waitFor({ state: "detached" });
      await look("the secret");
      expect(found).toEqual([]);
      expect(await faults()).toEqual([]);
      await page.context().close();
      await stage.client.webhooks.delete(id);
    });
  });
});

const violations = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map(
    ({ target, html }) => id + " " + target.join(" ") + " " + html.slice(0, 160))))`;

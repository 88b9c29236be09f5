import { test } from "vitest";
import axe from "axe-core";
import { makeFleet } from "./fleet.ts";
import { openPage, openStage, picture, signIn } from "./stage.ts";
const v = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map(
    ({ target, failureSummary, html }) => id + " " + target.join(" ") + " " + html.slice(0, 160) +
      " " + failureSummary.split("\\n").slice(1, 3).join(" "))))`;
test("preview", { timeout: 300_000 }, async () => {
  const stage = await openStage();
  const fleet = await makeFleet(stage.client);
  const only = (process.env["ONLY"] ?? "").split(",").filter(Boolean);
  for (const colorScheme of ["light", "dark"] as const) {
    const { page, faults } = await openPage(stage, {
      colorScheme,
      reducedMotion: "reduce",
      viewport: { width: 1440, height: 900 },
    });
    await signIn(stage, page);
    const shot = async (name: string) => {
      await page.evaluate(axe.source);
      const found = await page.evaluate<string[]>(v);
      if (found.length) console.log(name, colorScheme, found.join("\n"));
      for (const width of [360, 768, 1440, 2560]) {
        await page.setViewportSize({ width, height: width < 768 ? 780 : 900 });
        const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
        if (wide > width) console.log("WIDE", name, width, wide);
        await page.screenshot({ path: picture(`p-${name}-${colorScheme}-${width}`) });
      }
      await page.setViewportSize({ width: 1440, height: 900 });
    };
    const go = async (name: string, path: string, ready: string, act?: () => Promise<void>) => {
      if (only.length && !only.some((o) => name.startsWith(o))) return;
      await page.goto(path);
      await page.getByText(ready).first().waitFor();
      await page.locator("[aria-label=Loading]").first().waitFor({ state: "detached" });
      await act?.();
      await shot(name);
    };
    const btn = (n: string | RegExp) => page.getByRole("button", { name: n }).first();
    await go("inbox", "/approvals", "canary");
    await go("inbox-list", "/approvals", "canary", async () => {
      await page.setViewportSize({ width: 360, height: 780 });
      await page.goto("/approvals");
      await page.getByText("Send 1,284").first().waitFor();
    });
    await go("inbox-approve", "/approvals", "canary", async () => {
      await btn("Approve …").click();
      await page.getByRole("dialog").waitFor();
    });
    await go("inbox-edit", "/approvals", "canary", async () => {
      await btn(/Edit and approve/).click();
      const area = page.getByRole("textbox", { name: "Arguments" });
      const text = await area.inputValue();
      await area.fill(
        text
          .replace("4.12.0", "4.12.1")
          .replace('"0043_drop_legacy_tax"', '"0043_keep_legacy_tax",\n "0044_more"'),
      );
    });
    await go("history", "/approvals?view=history", "not on a Friday");
    await go("history-edited", "/approvals?view=history", "not on a Friday", async () => {
      await page.getByText("Merge 1039").first().click();
      await page.getByText("rebase").first().waitFor();
    });
    await go("dead", "/dead-letters", "ETIMEDOUT");
    await go("dead-group", `/dead-letters/${fleet.group}`, "10.0.3.");
    await go("dead-redrive", `/dead-letters/${fleet.group}`, "10.0.3.", async () => {
      await btn(/Redrive all/).click();
      await page.getByText("Which ones").waitFor();
    });
    await go("run-asking", `/runs/${fleet.asking}`, "Expires");
    await go("run-failed", `/runs/${fleet.failed}`, "waits for a person");
    console.log(colorScheme, await faults());
    await page.context().close();
  }
  await fleet.end();
  await stage.close();
});

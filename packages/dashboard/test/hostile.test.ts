// Hostile text in every field that a screen shows (F-120): it is shown as the text it is.
// Markup, broken attributes, script addresses, terminal sequences, turned direction, long lines.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { hostileShort, seenAs } from "./corpus.ts";
import { makeHostileFleet } from "./hostile-fleet.ts";
import type { HostileFleet } from "./hostile-fleet.ts";
import { misfits } from "./looks.ts";
import { openReports } from "./reports.ts";
import { screens } from "./screens.ts";
import { hasBrowser, loaded, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

/** Text of the page, and what stands in the attributes that people see or hear. */
const wholeText = `[document.querySelector("#root").textContent,
  ...[...document.querySelectorAll("[title], [aria-label], [placeholder]")].flatMap((one) =>
    ["title", "aria-label", "placeholder"].map((name) => one.getAttribute(name) ?? "")),
  ...[...document.querySelectorAll("input, textarea")].map((one) => one.value)].join("\\n")`;

/** What no text on a page may hold: it would turn, hide or overwrite what stands around it. */
const raw = /[\u202A-\u202E\u2066-\u2069\u200B-\u200F\uFEFF]|(?![\n\t])\p{Cc}|\p{Cs}/u;

/** Elements and attributes that only markup made by agents could have brought. */
const made = `#root :is(img:not(.sb-brand img), script, iframe, object, style, b, [onerror],
  [onload], [onmouseover], [href^="javascript:" i], [href^="data:" i], [src^="x"])`;

// There is no screen without a browser.
describe.skipIf(!hasBrowser)("hostile text", () => {
  let stage: Stage;
  let fleet: HostileFleet;
  let watched: Watched;
  let page: Page;
  let reports: readonly string[];
  beforeAll(async () => {
    stage = await openStage();
    fleet = await makeHostileFleet(stage.client);
    watched = await openPage(stage, {
      reducedMotion: "reduce",
      viewport: { width: 1440, height: 2_400 },
    });
    ({ page } = watched);
    reports = await openReports(page);
    await signIn(stage, page);
  });
  afterAll(async () => {
    await fleet?.end();
    await stage?.close();
  });

  /** Nothing of it ran, nothing of it became an element, nothing of it turns what stands around. */
  const isText = async (): Promise<void> => {
    expect(raw.exec(await page.evaluate<string>(wholeText))).toBeNull();
    expect(await page.locator(made).count()).toBe(0);
    expect(await page.evaluate("window.__canary ?? null")).toBeNull();
    expect(await watched.faults()).toEqual([]);
    expect(reports).toEqual([]);
  };

  test.each(screens)("is text on $name", async ({ address, shows }) => {
    await page.goto(address(fleet.ids));
    await page.locator("#screen h1").waitFor();
    await loaded(page);
    for (const field of shows) {
      const text = page.locator("#screen").getByText(seenAs(field));
      await text.first().waitFor({ state: "attached" });
    }
    for (const one of await page.locator("#screen details:not([open]) > summary").all()) {
      if (await one.isVisible()) await one.click();
    }
    await page.mouse.move(700, 400);
    expect(await page.title()).toMatch(/ · Signalbox$/);
    const wide = (await misfits(page)).filter((one) => one.startsWith("page is"));
    expect(wide).toEqual([]);
    await isText();
  });

  test("is text in dialogs, in what is said when it is done, and in the palette", async () => {
    await page.goto("/");
    await loaded(page);
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: /^Resume/ }).click();
    await page.getByText("may claim again").waitFor();
    await isText();
    await page
      .getByRole("button", { name: /^Pause \[agent\]/ })
      .first()
      .click();
    await dialog.getByRole("heading").waitFor();
    await isText();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Screen, agent, run_…, action").fill("[agent]");
    await page
      .getByText(`Runs of ${seenAs("agent")}`)
      .first()
      .waitFor();
    await isText();
    await page.keyboard.press("Escape");
  });

  test("is text in the filters of an address, and above a stopped project", async () => {
    await stage.client.projects.stop({ reason: hostileShort("project.stop") });
    await page.goto(`/runs?agent=${encodeURIComponent(seenAs("agent"))}&tag=%3Csvg%20onload%3D`);
    await loaded(page);
    await page.getByText(seenAs("project.stop")).waitFor();
    await isText();
    await stage.client.projects.resume({ reason: hostileShort("audit.reason") });
  });

  test("shows what cannot be seen, and cuts long lines until asked", async () => {
    await page.goto(`/runs/${fleet.ids.completed}`);
    await page.getByLabel("Follow").uncheck();
    await page.getByLabel("Transitions").uncheck();
    await page.getByLabel("Tool calls").uncheck();
    const log = page.getByRole("region", { name: "Log" });
    const search = page.getByRole("textbox", { name: "Search the log" });
    await search.fill("gnp.exe");
    await log.getByText("‹202E›gnp.exe‹202C›").first().waitFor();
    await search.fill("evil.example");
    await log.getByText("␛[2J␛[31m␛]8;;https://evil.example␇here").first().waitFor();
    await search.fill("xxxxxxxx");
    await log
      .getByRole("button", { name: /more characters/ })
      .first()
      .waitFor();
    const drawn = await log.evaluate((element) =>
      String((element as { textContent?: string }).textContent),
    );
    expect(drawn.length).toBeLessThan(20_000);
  });

  describe("would be caught", () => {
    beforeEach(async () => {
      await page.goto("/");
      await page.locator("#screen h1").waitFor();
    });

    test("markup made into elements breaks the policy, and the listener is told", async () => {
      const make = `(() => {
        const image = document.createElement("img");
        document.querySelector("#screen").append(image);
        const style = document.createElement("style");
        style.textContent = "b { display: none }";
        document.head.append(style);
        const tries = [
          () => image.setAttribute("onerror", "window.__canary = 1"),
          () => image.insertAdjacentHTML("afterend", "<b>bold</b>"),
        ];
        return tries.map((attempt) => {
          try {
            attempt();
          } catch (error) {
            return error.name;
          }
        });
      })()`;
      expect(await page.evaluate(make)).toEqual(["TypeError", "TypeError"]);
      await expect.poll(async () => (await watched.faults()).join("\n")).toMatch(/style-src/);
      expect((await watched.faults()).join("\n")).toContain("require-trusted-types-for");
      await expect.poll(() => reports.join("\n")).toContain("style-src");
      expect(await page.evaluate("window.__canary ?? null")).toBeNull();
      expect(await page.locator(made).count()).toBe(1);
    });

    test("a mark that turns the direction is found in text and in attributes", async () => {
      await page.evaluate(`document.querySelector("#screen").append("\\u202Egnp.exe")`);
      expect(raw.exec(await page.evaluate<string>(wholeText))).not.toBeNull();
      await page.reload();
      await page.locator("#screen h1").waitFor();
      expect(raw.exec(await page.evaluate<string>(wholeText))).toBeNull();
      await page.evaluate(`document.querySelector("h1").title = "safe\\bevil"`);
      expect(raw.exec(await page.evaluate<string>(wholeText))).not.toBeNull();
    });
  });
});

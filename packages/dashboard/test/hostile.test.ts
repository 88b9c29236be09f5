// Hostile text in every field that a screen shows (F-120): it is shown as the text it is.
// Markup, script addresses, terminal sequences, marks that turn the direction, very long lines.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Worker } from "@signalbox/sdk/worker";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage } from "./stage.ts";

const set = "window.__canary=1";
const corpus = [
  `<img src=x onerror=${set}>`,
  `"><script>${set}</script>`,
  `<svg onload=${set}>`,
  `<iframe srcdoc="<script>parent.__canary=1</script>"></iframe>`,
  `javascript:${set}//`,
  `[click](javascript:${set})`,
  `{{constructor.constructor('${set}')()}}`,
  "</title><style>*{display:none}</style>",
  "\u001B[2J\u001B]8;;https://evil.example\u0007here\u001B]8;;\u0007 gone\rover",
  "\u202Egnp.exe\u2066 \u2069 \u200Bzero",
  `${"x".repeat(50_000)}<b>${set}</b>`,
];
/** For names, which hold no control characters. */
const name = (n: number): string => `${corpus[n % 8]} ${n}`;
/** The first of the corpus, as an operator must see it. */
const seen = "<img src=x onerror=window.__canary=1>";

// There is no screen without a browser.
describe.skipIf(!hasBrowser)("hostile text", () => {
  let stage: Stage;
  let worker: Worker;
  const ids: string[] = [];
  beforeAll(async () => {
    stage = await openStage();
    const { client } = stage;
    const [agent, account, queue] = [name(0), name(1), name(2)];
    await client.agents.register(agent, { accounts: [account], description: name(3) });
    await client.accounts.register(account, { provider: name(4) });
    await client.allowances.create({
      scope: "agent",
      name: agent,
      metric: "tokens",
      limit: 1e9,
      window: "day",
    });
    const options = { agents: [agent], runtime: name(5), version: name(6), concurrency: 4 };
    worker = new Worker(client, { ...options, signals: false, onError: () => {} });
    worker.handle(async (attempt) => {
      for (const text of corpus) {
        await attempt.log(text);
        await attempt.emit("message.delta", { text });
        await attempt.emit("tool.call.started", {
          id: text.slice(0, 99),
          name: text,
          arguments: text,
        });
        await attempt.emit("x.note", { [text.slice(0, 40)]: text });
      }
      await attempt.usage({ model: name(7), input_tokens: 3 });
      if ((attempt.run.input as { fails: boolean }).fails) throw new Error(corpus.join(" "));
      return { said: corpus };
    });
    await worker.start();
    for (const fails of [true, false]) {
      const metadata = { title: corpus.slice(0, 8).join(" ") };
      const more = { input: { fails, corpus }, metadata, tags: [name(0)], queue, max_attempts: 1 };
      ids.push((await client.runs.submit({ agent, ...more })).id);
    }
    for (const id of ids) await client.runs.wait(id, { timeoutMs: 30_000 });
    await client.queues.pause(queue, { reason: corpus.slice(0, 8).join(" ") });
    await client.accounts.exhausted(account, {
      message: `usage limit reached ${corpus.slice(0, 7).join(" ")}`,
      reason: "quota",
      recovery_in_ms: 3_600_000,
    });
    await client.webhooks.create({
      url: "https://example.org/hook",
      // Of which there is none, so nothing is ever sent.
      types: ["slot.*"],
      agent,
      description: corpus.slice(0, 8).join(" "),
    });
    await client.keys.create({ name: name(0), roles: ["worker"], agents: [agent] });
    await client.agents.pause(agent, { reason: corpus.slice(0, 8).join(" ") });
  });
  afterAll(async () => {
    await worker?.stop({ drainMs: 0 });
    await stage?.close();
  });

  test("is text on every screen, sets no canary and breaks no policy", async () => {
    const { page, faults } = await openPage(stage, { reducedMotion: "reduce" });
    await signIn(stage, page);
    const tabs = ["log", "attempts", "usage", "documents", "events"];
    const screens: [string, string][] = [
      ["/", seen],
      ["/runs", seen],
      ["/queues", "<svg onload="],
      ["/runtimes", "[click]"],
      ["/accounts", "<script>"],
      ["/usage", seen],
      ["/webhooks", seen],
      ["/audit", seen],
      ["/settings", seen],
      ...ids.flatMap((id) => tabs.map((tab): [string, string] => [`/runs/${id}?tab=${tab}`, seen])),
    ];
    for (const [address, text] of screens) {
      await page.goto(address);
      await page.getByText(text).first().waitFor({ state: "attached" });
      await page.locator("[aria-label=Loading]").waitFor({ state: "detached" });
      for (const one of await page.locator("#screen details > summary").all()) {
        if (await one.isVisible()) await one.click();
      }
      const made = "#screen img, #screen script, #screen iframe, #screen style, #screen b";
      expect([address, await page.locator(made).count()]).toEqual([address, 0]);
      expect(await page.evaluate("window.__canary ?? null")).toBeNull();
    }
    expect(await faults()).toEqual([]);
  });

  test("would be caught: markup made into elements breaks the policy and is told", async () => {
    const { page, faults } = await openPage(stage);
    await signIn(stage, page);
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
    await expect.poll(async () => (await faults()).join("\n")).toMatch(/style-src/);
    expect((await faults()).join("\n")).toContain("require-trusted-types-for");
    expect(await page.evaluate("window.__canary ?? null")).toBeNull();
  });

  test("shows what cannot be seen, and cuts long lines until asked", async () => {
    const { page } = await openPage(stage, { viewport: { width: 1440, height: 2_400 } });
    await signIn(stage, page, `/runs/${ids[1]}`);
    await page.getByLabel("Follow").uncheck();
    await page.getByLabel("Transitions").uncheck();
    await page.getByLabel("Tool calls").uncheck();
    const log = page.getByRole("region", { name: "Log" });
    await page.getByRole("textbox", { name: "Search the log" }).fill("gnp.exe");
    await log.getByText("‹202E›gnp.exe‹2066›").first().waitFor();
    await page.getByRole("textbox", { name: "Search the log" }).fill("evil.example");
    await log.getByText("␛[2J␛]8;;https://evil.example␇here").first().waitFor();
    await page.getByRole("textbox", { name: "Search the log" }).fill("xxxxxxxx");
    await log
      .getByRole("button", { name: /more characters/ })
      .first()
      .waitFor();
    const drawn = await log.evaluate((element) =>
      String((element as { textContent?: string }).textContent),
    );
    expect(drawn.length).toBeLessThan(20_000);
  });
});

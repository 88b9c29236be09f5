// What an administrator does: webhooks, keys, sessions, retention, the trail and its export,
// health; each in a real browser, and what the server says afterwards.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Signalbox } from "@signalbox/sdk";
import type { ApiKey, AuditEntry } from "@signalbox/sdk";
import type { Page } from "playwright-core";
import { withClient } from "../../server/test/setup/database.ts";
import { setDesk, untilDelivery } from "./desk.ts";
import type { Desk } from "./desk.ts";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

// There is nothing to click without a browser.
describe.skipIf(!hasBrowser)("an administrator's desk", () => {
  let stage: Stage;
  let desk: Desk;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    desk = await setDesk(stage);
  });
  afterAll(async () => {
    await desk?.endDesk();
    await stage?.close();
  });
  beforeEach(async () => {
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
  });
  afterEach(async () => {
    expect(await watched.faults()).toEqual([]);
    await page.context().close();
  });

  const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });
  const dialog = () => page.getByRole("dialog");
  const inDialog = (name: string) => dialog().getByRole("button", { name, exact: true });
  const closed = () => dialog().waitFor({ state: "detached" });
  const row = (text: string) => page.getByRole("row").filter({ hasText: text });
  const asOwner = (path: string) => signIn(stage, page, path, stage.scene.keys.owner);
  const hook = () => stage.client.webhooks.get(desk.webhook);
  /** The secret in the dialog; it is nowhere on the page once that is closed. */
  const takeSecret = async (): Promise<string> => {
    const secret = await dialog().getByLabel("the secret", { exact: true }).innerText();
    await page.keyboard.press("Escape");
    expect(await dialog().count()).toBe(1);
    await inDialog("I have kept it").click();
    await closed();
    expect(await page.content()).not.toContain(secret);
    return secret;
  };
  const keyOf = async (name: string): Promise<ApiKey[]> =>
    (await stage.client.keys.list({ limit: 100 })).items.filter((key) => key.name === name);

  test("a webhook is made, its secret shown once; what the server refuses is said", async () => {
    await signIn(stage, page, "/webhooks");
    await button("New webhook …").click();
    expect(await inDialog("Make it").isDisabled()).toBe(true);
    await dialog().getByLabel("URL").fill("http://10.0.0.1/hook");
    await dialog().getByLabel("Events").fill("approval.*, run.failed");
    await inDialog("Make it").click();
    await dialog().getByRole("alert").getByText("Refused: validation_failed").waitFor();
    await dialog().getByLabel("URL").fill("https://example.org/made-here");
    await inDialog("Make it").click();
    expect(await takeSecret()).toMatch(/^whsec_/);
    await row("https://example.org/made-here").getByText("approval.*, run.failed").waitFor();
    const { items } = await stage.client.webhooks.list({ limit: 100 });
    const made = items.find(({ url }) => url.endsWith("made-here"));
    expect(made?.types).toEqual(["approval.*", "run.failed"]);
    await stage.client.webhooks.delete(made?.id ?? "");
  });

  test("a test is sent, and its delivery appears with what the receiver said", async () => {
    desk.answer(200, "come in, <b>friend</b>");
    await signIn(stage, page, `/webhooks/${desk.webhook}`);
    await row("webhook.test").first().waitFor();
    const before = await row("webhook.test").count();
    await button("Send a test").click();
    await expect.poll(() => row("webhook.test").count(), { timeout: 60_000 }).toBe(before + 1);
    await row("webhook.test").first().getByText("200", { exact: true }).click();
    await page.getByText("come in, <b>friend</b>").waitFor();
  });

  test("an event that is redelivered arrives again, under the same id", async () => {
    await signIn(stage, page, `/webhooks/${desk.webhook}`);
    await stage.client.queues.pause("redelivered", { reason: "test" });
    const { id } = await untilDelivery(
      stage.client,
      desk.webhook,
      ({ type, state }) => type === "queue.paused" && state === "delivered",
    );
    const before = desk.arrived.length;
    await button(`Redeliver queue.paused ${id.slice(-6)}`).click({ timeout: 60_000 });
    await expect.poll(() => desk.arrived.length).toBe(before + 1);
    expect(desk.arrived.at(-1)).toBe("queue.paused");
  });

  test("those that were given up are counted, then sent once more", async () => {
    desk.answer(500, "closed for today");
    const { id } = await stage.client.webhooks.test(desk.webhook);
    await untilDelivery(stage.client, desk.webhook, (one) => one.id === id && one.status === 500);
    // As after 24 hours without a success.
    await withClient(stage.scene.connection, (client) =>
      client.query(
        `update signalbox.delivery set state = 'failed', next_at = null, lease_until = null,
           leased_by = null, ended_at = clock_timestamp() where state = 'pending'`,
      ),
    );
    desk.answer(200, "open again");
    await signIn(stage, page, `/webhooks/${desk.webhook}?state=failed`);
    await row("webhook.test").getByText("500", { exact: true }).click();
    await page.getByText("closed for today").waitFor();
    await button("Redeliver all given up …").click();
    await dialog().getByRole("heading", { name: "Redeliver 1 deliveries" }).waitFor();
    await inDialog("Redeliver 1").click();
    await closed();
    await untilDelivery(stage.client, desk.webhook, (one) => {
      return one.id === id && one.state === "delivered";
    });
    await page.getByText("No delivery is given up").waitFor({ timeout: 60_000 });
  });

  test("a webhook is edited, rotated, disabled, enabled, and deleted by its name", async () => {
    await asOwner(`/webhooks/${desk.webhook}`);
    await button("Edit …").click();
    await dialog().getByLabel("Description").fill("to the night shift");
    await inDialog("Change it").click();
    await closed();
    expect((await hook()).description).toBe("to the night shift");
    await button("Rotate secret …").click();
    await dialog().getByLabel("The old secret signs along for").selectOption("an hour");
    await inDialog("Make a new secret").click();
    expect(await takeSecret()).toMatch(/^whsec_/);
    const until = Date.parse((await hook()).previous_secret_until ?? "") - Date.now();
    expect(Math.round(until / 600_000)).toBe(6);
    await button("Disable …").click();
    await dialog().getByLabel("Reason").fill("the receiver moves");
    await inDialog("Disable it").click();
    await page.getByText("the receiver moves").first().waitFor();
    expect((await hook()).disabled_reason).toBe("the receiver moves");
    await button("Enable …").click();
    await dialog().getByLabel("Skip what was missed").check();
    await inDialog("Enable it").click();
    await button("Disable …").waitFor();
    expect((await hook()).disabled_at).toBeNull();
    await button("Delete …").click();
    expect(await inDialog("Delete it").isDisabled()).toBe(true);
    await dialog().getByRole("textbox").fill("127.0.0.1");
    await inDialog("Delete it").click();
    await page.getByText("No webhook yet").waitFor();
    await expect(hook()).rejects.toMatchObject({ status: 404 });
  });

  test("a key is made for agents and a time, rotated and revoked", async () => {
    await signIn(stage, page, "/settings");
    await button("New key …").click();
    await dialog().getByLabel("Name").fill("night-host");
    expect(await inDialog("Make it").isDisabled()).toBe(true);
    await dialog().getByLabel("worker").check();
    await dialog().getByLabel("Only as these agents").fill("reviewer, fixer");
    await dialog().getByLabel("Ends").selectOption("in 30 days");
    await inDialog("Make it").click();
    const secret = await takeSecret();
    const [made] = await keyOf("night-host");
    expect([made?.roles, made?.agents]).toEqual([["worker"], ["reviewer", "fixer"]]);
    const days = (Date.parse(made?.expires_at ?? "") - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    const worker = new Signalbox({ url: stage.url, key: secret });
    expect((await worker.projects.current()).name).toBe("default");
    await button("Rotate night-host").click();
    await dialog().getByLabel("The old key lives on for").selectOption({ value: "0" });
    await inDialog("Make the new key").click();
    const next = await takeSecret();
    await expect(worker.projects.current()).rejects.toMatchObject({ status: 401 });
    const rotated = new Signalbox({ url: stage.url, key: next });
    await rotated.projects.current();
    await expect.poll(() => button("Revoke night-host").count()).toBe(1);
    await button("Revoke night-host").click();
    await dialog().getByText("refused from now on").waitFor();
    await inDialog("Revoke it now").click();
    await closed();
    await button("Revoke night-host").waitFor({ state: "detached" });
    await expect(rotated.projects.current()).rejects.toMatchObject({ status: 401 });
    expect(await row("night-host").count()).toBe(0);
    await page.getByLabel(/^Show \d+ that have ended$/).check();
    await row("night-host").first().waitFor();
  });

  test("a key is made by keyboard alone", async () => {
    await signIn(stage, page);
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await button("New key …").focus();
    await page.keyboard.press("Enter");
    await dialog().getByLabel("Name").waitFor();
    await page.keyboard.type("by-hand");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    await page.keyboard.press("Enter");
    await dialog().getByText("Shown once").waitFor();
    for (let n = 0; n < 4; n += 1) {
      if ((await focusedText()) === "I have kept it") break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await closed();
    expect((await keyOf("by-hand")).map(({ roles }) => roles)).toEqual([["viewer"]]);
    for (const [letter, heading] of [
      ["w", "Webhooks"],
      ["l", "Audit"],
      ["h", "Health"],
    ] as const) {
      await page.keyboard.press("g");
      await page.keyboard.press(letter);
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    }
  });

  const focusedText = (): Promise<string> =>
    page.evaluate<string>("document.activeElement.textContent");

  test("another browser's session is ended; one's own is signed out", async () => {
    const operator = new Signalbox({ url: stage.url, key: stage.scene.keys.operator });
    const { code } = await operator.sessions.link();
    const { id, prefix } = await new Signalbox({ url: stage.url, session: true }).sessions.open(
      code,
    );
    await signIn(stage, page, "/settings");
    await button(`End … session ${prefix}`).click();
    await inDialog("End it now").click();
    await closed();
    const { items } = await stage.client.sessions.list({ limit: 100 });
    expect(items.map((one) => one.id)).not.toContain(id);
    await button("Sign out here").click();
    await page.getByRole("textbox", { name: "Key" }).waitFor();
  });

  test("retention says what it removes before it does", async () => {
    await signIn(stage, page, "/settings");
    await button("Change retention …").click();
    await dialog().getByLabel("are removed some days after their end").check();
    await dialog().getByRole("textbox", { name: "Days" }).fill("30");
    await dialog().getByText("Runs that ended more than 30 days ago are removed").waitFor();
    await inDialog("Remove what is older").click();
    await closed();
    expect((await stage.client.projects.current()).retention_days).toBe(30);
    await page.getByText("30 days after their end").waitFor();
    await button("Change retention …").click();
    await dialog().getByLabel("are kept for ever").check();
    await inDialog("Keep them so").click();
    await closed();
    expect((await stage.client.projects.current()).retention_days).toBeNull();
  });

  test("the owner makes a project and works in it; the trail above all is its own", async () => {
    await asOwner("/settings");
    await button("New project …").click();
    await dialog().getByLabel("Name").fill("support");
    await inDialog("Make it").click();
    await page.getByRole("combobox", { name: "Project" }).waitFor();
    await expect
      .poll(() => page.getByRole("combobox", { name: "Project" }).inputValue())
      .toBe("support");
    // Without loading anew: the screen follows the project that was chosen.
    await page.keyboard.press("g");
    await page.keyboard.press("q");
    await page.getByText("No queue yet").waitFor();
    const key = stage.scene.keys.owner;
    const within = new Signalbox({ url: stage.url, key, project: "support" });
    await page.getByText("live", { exact: true }).waitFor();
    await within.queues.pause("calls", { reason: "heard in its own project" });
    await page.getByText("heard in its own project").waitFor();
    await page.goto("/audit");
    await page.getByText("project.created").waitFor();
    await page.getByLabel("Whose trail").selectOption("The installation");
    await page.waitForURL("**of=installation**");
    await page.getByText("session.opened").first().waitFor();
  });

  describe("the trail", () => {
    beforeAll(async () => {
      for (let n = 0; n < 30; n += 1) {
        await stage.client.queues.pause("busy", { reason: `=1+${n}, said "so"` });
        await stage.client.queues.resume("busy");
      }
    });

    test("is filtered by who and what, and goes back page by page", async () => {
      await signIn(stage, page, "/audit");
      await page.getByText("50 shown, more before").waitFor();
      await button("Show older").click();
      await page.getByText(/^(?!50 )\d+ shown/).waitFor();
      await button(/^queue\.resumed$/)
        .first()
        .click();
      await page.waitForURL("**type=queue.resumed**");
      await page.getByText("30 shown, that is all").waitFor();
      const [deed] = (await stage.client.audit.list({ type: "queue.resumed", limit: 1 })).items;
      await page.getByRole("textbox", { name: "Who" }).fill(deed?.actor ?? "");
      await page.waitForURL("**actor=key**");
      await page.getByText("30 shown, that is all").waitFor();
      await page.getByRole("textbox", { name: "Who" }).fill("key:nobody");
      await page.getByText("Nobody did anything like that").waitFor();
      await button("Clear").click();
      await page.waitForURL("**/audit");
      await row("queue.paused").first().waitFor();
      await page.getByLabel("When").selectOption("Between …");
      await page.getByLabel("To", { exact: true }).fill("2020-01-01T00:00");
      await page.waitForURL("**to=20**");
      await page.getByText("Nobody did anything like that").waitFor();
    });

    test("of a run holds what was done to it", async () => {
      const { id } = await stage.client.runs.submit({ queue: "of-a-run" });
      await stage.client.runs.cancel(id, { reason: "not this one" });
      await signIn(stage, page, `/audit?run=${id}`);
      await page.getByText("not this one", { exact: true }).waitFor();
      expect(await row("queue.paused").count()).toBe(0);
      await page
        .getByRole("link", { name: `…${id.slice(-8)}` })
        .first()
        .click();
      await page.getByRole("tab", { name: "Log" }).waitFor();
    });

    test("is exported whole, as JSON lines and as CSV that holds no formula", async () => {
      await signIn(stage, page, "/audit?type=queue.paused");
      await row("queue.paused").first().waitFor();
      const all: AuditEntry[] = [];
      for await (const deed of stage.client.audit.iterate({ type: "queue.paused", limit: 100 })) {
        all.push(deed);
      }
      const file = async (name: string): Promise<string> => {
        const downloading = page.waitForEvent("download");
        await button(name).click();
        return readFileSync(await (await downloading).path(), "utf8");
      };
      const lines = (await file("Export JSON lines")).trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line))).toEqual(all);
      const csv = await file("Export CSV");
      expect(csv.split("\r\n")).toHaveLength(all.length + 2);
      expect(csv).toContain(`,"'=1+29, said ""so""",`);
      expect(csv).not.toMatch(/(?:^|,)"?=/m);
    });
  });

  test("health: verdicts for operators, the load for the owner", async () => {
    await signIn(stage, page, "/health", stage.scene.keys.operator);
    await page.getByText("servers sweep, and nothing is overdue").waitFor();
    await page.getByText("they are the owner's").waitFor();
    expect(await page.getByRole("heading", { name: "Batchers" }).count()).toBe(0);
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("textbox", { name: "Key" }).waitFor();
    await asOwner("/health");
    await page.getByRole("heading", { name: "Batchers" }).waitFor();
    await page.getByRole("region", { name: "work: items per flush" }).waitFor();
    await row("event").getByText(/kB|MB/).waitFor();
  });
});

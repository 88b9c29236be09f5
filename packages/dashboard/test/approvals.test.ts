// The inbox: each answer in a real browser, and what the server says afterwards.

import { Signalbox } from "@signalbox/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { openPeople } from "./people.ts";
import type { People } from "./people.ts";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

/** Far above what a busy machine needs for an event to arrive. */
const LIVE = { timeout: 60_000 };
const wide = { reducedMotion: "reduce", viewport: { width: 1440, height: 900 } } as const;

// There is nothing to click without a browser.
describe.skipIf(!hasBrowser)("the inbox", () => {
  let stage: Stage;
  let people: People;
  let other: Signalbox;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    await stage.client.agents.register("asker", { accounts: ["max-1"] });
    people = await openPeople(stage.client, ["asker"]);
    other = new Signalbox({ url: stage.url, key: stage.scene.keys.approver });
  });
  afterAll(async () => {
    await people?.end();
    await stage?.close();
  });
  beforeEach(async () => {
    watched = await openPage(stage, wide);
    ({ page } = watched);
  });
  afterEach(async () => {
    expect(await watched.faults()).toEqual([]);
    await page.context().close();
    for await (const { id } of other.approvals.iterate({ status: "pending" })) {
      await other.approvals.reject(id);
    }
  });

  const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });
  const dialog = () => page.getByRole("dialog");
  const question = () => page.getByRole("article");
  /** Its line in the list. */
  const line = (title: string) => page.locator("[data-approval]").filter({ hasText: title });
  const get = (id: string) => stage.client.approvals.get(id);
  const open = async (id: string): Promise<void> => {
    await signIn(stage, page, `/approvals?id=${id}`);
    await question().getByText("waiting").waitFor();
  };
  const closed = () => dialog().waitFor({ state: "detached" });

  test("a question is told on every screen, counted, read, and approved with a note", async () => {
    await signIn(stage, page, "/runs");
    await page.getByText("live", { exact: true }).waitFor();
    const title = "Deploy 4.12.0 to production";
    const given = { arguments: { service: "billing", steps: [5, 25], flags: { tax: false } } };
    const { id, run_id: runId } = await people.ask("asker", { title, risk: "high", ...given });
    await page.getByRole("link", { name: /^Approvals.*1 waiting$/ }).waitFor(LIVE);
    const told = page.getByRole("alert").filter({ hasText: title });
    await told.getByRole("button", { name: "Look at it" }).click(LIVE);
    await page.waitForURL(`**/approvals?id=${id}`);
    const tree = question().getByRole("region", { name: "Arguments" });
    const read = await tree.innerText();
    for (const part of ['"billing"', "[5, 25]", "false"]) expect(read).toContain(part);
    await question().getByText("high risk").waitFor();
    await button("Approve …").click();
    expect((await get(id)).status).toBe("pending");
    await dialog().getByLabel("Note (optional)").fill("the canary is green");
    await button("Approve it").click();
    await closed();
    const after = await get(id);
    expect([after.status, after.comment]).toEqual(["approved", "the canary is green"]);
    expect((await stage.client.runs.wait(runId)).state).toBe("completed");
    await page.getByRole("link", { name: "Approvals", exact: true }).waitFor(LIVE);
  });

  test("a rejection ends the run with the note as its reason", async () => {
    const { id, run_id: runId } = await people.ask("asker", { title: "Drop the table" });
    await open(id);
    await button("Reject …").click();
    await dialog().getByLabel("Note (optional)").fill("never on a Friday");
    await button("Reject it").click();
    await closed();
    const run = await stage.client.runs.wait(runId);
    expect([run.state, run.status_reason]).toEqual(["cancelled", "never on a Friday"]);
    await button("History").click();
    await line("Drop the table").click();
    await question().getByText("never on a Friday").waitFor();
    expect(await question().innerText()).toContain((await get(id)).decided_by);
  });

  test("edited arguments are shown against what was asked, and are what is done", async () => {
    const given = { pr: 42, method: "squash", notes: "first\nsecond" };
    const asked = await people.ask("asker", { title: "Merge 42", arguments: given });
    await open(asked.id);
    await button("Edit and approve …").click();
    const text = dialog().getByRole("textbox", { name: "Arguments" });
    await dialog().getByText("No difference.").waitFor();
    await text.fill("{ broken");
    expect(await button("Approve as edited").isDisabled()).toBe(true);
    await text.fill('["a list"]');
    await dialog().getByText("Arguments are one JSON object").waitFor();
    await text.fill('{"method":"rebase","notes":"first\\nsecond","pr":42}');
    const change = dialog().getByRole("region", { name: "From what was asked" });
    expect(await change.innerText()).toMatch(/−\s+removed:\s+"method": "squash"/);
    expect(await change.innerText()).toMatch(/\+\s+added:\s+"method": "rebase"/);
    await dialog().getByText("−1 removed").waitFor();
    await text.press("Control+Enter");
    await closed();
    const run = await stage.client.runs.wait(asked.run_id);
    expect(run.output).toEqual({ done: { ...given, method: "rebase" } });
    await page.goto(`/approvals?view=history&id=${asked.id}`);
    await question().getByText("with edited arguments").waitFor();
    await question().getByText("−1 removed").waitFor();
  });

  test("a reload loses neither the question that is open nor what was typed", async () => {
    const { id } = await people.ask("asker", { title: "Mail them", arguments: { to: 12 } });
    await open(id);
    await button("Edit and approve …").click();
    await dialog().getByRole("textbox", { name: "Arguments" }).fill('{"to": 1');
    await dialog().getByLabel("Note (optional)").fill("one is enough");
    await page.reload();
    await button("Go on editing …").click();
    const text = dialog().getByRole("textbox", { name: "Arguments" });
    expect(await text.inputValue()).toBe('{"to": 1');
    expect(await dialog().getByLabel("Note (optional)").inputValue()).toBe("one is enough");
    await text.fill('{"to": 1}');
    await button("Approve as edited").click();
    await closed();
    expect(await get(id)).toMatchObject({
      edited_arguments: { to: 1 },
      comment: "one is enough",
    });
    const drafts = "Object.keys(sessionStorage).filter((name) => name.includes('draft'))";
    expect(await page.evaluate<string[]>(drafts)).toEqual([]);
  });

  test("who loses the race is told who won, and with what", async () => {
    const { id } = await people.ask("asker", { title: "Merge 43", arguments: { pr: 43 } });
    await open(id);
    // Its answer leaves, and arrives after the other person's.
    let letThrough = (): void => {};
    const held = new Promise<void>((resolve) => (letThrough = resolve));
    await page.route("**/reject", async (route) => {
      await held;
      await route.continue();
    });
    await button("Reject …").click();
    await dialog().getByLabel("Note (optional)").fill("mine");
    const sent = page.waitForRequest("**/reject");
    await button("Reject it").click();
    await sent;
    const won = await other.approvals.approve(id, { arguments: { pr: 44 }, comment: "44 it is" });
    letThrough();
    const lost = dialog().getByRole("alert");
    await lost.getByText("Somebody was faster").waitFor();
    const told = await lost.innerText();
    expect(told).toContain(won.decided_by);
    expect(told).toContain("44 it is");
    expect(told).toMatch(/added:\s+"pr": 44/);
    expect(told).toContain("Your answer was not used");
    expect(await get(id)).toMatchObject({ status: "approved", comment: "44 it is" });
    await button("Back to the others").click();
    await closed();
  });

  test("an answer elsewhere is seen in the open dialog, before anything is sent", async () => {
    const { id } = await people.ask("asker", { title: "Merge 45" });
    await open(id);
    await page.getByText("live", { exact: true }).waitFor();
    await button("Approve …").click();
    await dialog().getByText("exactly as it was asked").waitFor();
    await other.approvals.reject(id, { comment: "wait for the freeze" });
    await dialog().getByText("Somebody was faster").waitFor(LIVE);
    await dialog().getByText("wait for the freeze").waitFor();
    expect(await button("Approve it").count()).toBe(0);
  });

  test("a question that expires while it is being answered says so", async () => {
    await signIn(stage, page, "/approvals");
    await page.getByText("live", { exact: true }).waitFor();
    const given = { title: "Reboot host 3", expires_in_s: 20, on_expiry: "reject" } as const;
    const { id } = await people.ask("asker", given);
    await question().getByText("it counts as rejected").waitFor(LIVE);
    let letThrough = (): void => {};
    const held = new Promise<void>((resolve) => (letThrough = resolve));
    await page.route("**/approve", async (route) => {
      await held;
      await route.continue();
    });
    await button("Approve …").click();
    await button("Approve it").click();
    await expect.poll(async () => (await get(id)).status, LIVE).toBe("expired");
    letThrough();
    await dialog().getByText("It has expired").waitFor();
    await button("Back to the others").click();
    await question().getByText("nobody answered in time").first().waitFor();
  });

  test("the question that is open stays open, whatever comes, goes, or happens to it", async () => {
    const first = await people.ask("asker", { title: "The first" });
    const second = await people.ask("asker", { title: "The second" });
    await signIn(stage, page, "/approvals");
    await question().getByRole("heading", { name: "The first" }).waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    await other.approvals.reject(first.id, { comment: "by somebody else" });
    await line("The first").waitFor({ state: "detached", ...LIVE });
    await question().getByRole("heading", { name: "The first" }).waitFor();
    await question().getByText("by somebody else").waitFor(LIVE);
    await page.keyboard.press("a");
    expect(await dialog().count()).toBe(0);
    await line("The second").click();
    await stage.client.runs.kill(second.run_id, { reason: "no longer needed" });
    await question().getByText("the run went on or ended without an answer").waitFor(LIVE);
  });

  test("the keyboard alone: move, look, leave, edit, reject, approve, list of keys", async () => {
    const ids: string[] = [];
    for (const title of ["Number one", "Number two", "Number three"]) {
      ids.push((await people.ask("asker", { title })).id);
    }
    await signIn(stage, page);
    const press = (key: string) => page.keyboard.press(key);
    const shown = (name: string) => question().getByRole("heading", { name }).waitFor();
    await press("g");
    await press("i");
    await shown("Number one");
    await press("?");
    await dialog().getByText("Edit arguments and approve").waitFor();
    await press("Escape");
    await closed();
    await press("j");
    await press("j");
    await shown("Number two");
    await press("k");
    await shown("Number one");
    await press("a");
    await dialog().waitFor();
    await press("Escape");
    await closed();
    await press("e");
    await dialog().getByRole("textbox", { name: "Arguments" }).waitFor();
    await press("Escape");
    await closed();
    // Letters typed into a field are letters.
    await press("r");
    await dialog().waitFor();
    await page.keyboard.type("area");
    await press("Enter");
    await closed();
    await shown("Number two");
    await press("a");
    await dialog().waitFor();
    await press("Enter");
    await closed();
    await shown("Number three");
    const answers = await Promise.all(ids.map(get));
    expect(answers.map(({ status, comment }) => [status, comment])).toEqual([
      ["rejected", "area"],
      ["approved", null],
      ["pending", null],
    ]);
    await press("g");
    await press("a");
    await page.getByRole("heading", { name: "Accounts", level: 1 }).waitFor();
    expect((await get(ids[2] ?? "")).status).toBe("pending");
  });

  test("hostile questions are text, and nothing of them hides while one edits", async () => {
    const set = "<img src=x onerror=window.__canary=1>";
    const given = { [`<b>${set}</b>`]: `rm \u202Egnp.exe\u001B[2J`, long: set.repeat(600) };
    const { id } = await people.ask("asker", { title: `${set} \u202Egnp`, arguments: given });
    await open(id);
    await question()
      .getByRole("heading", { name: `${set} ‹202E›gnp` })
      .waitFor();
    await question().getByText("rm ‹202E›gnp.exe").waitFor();
    await question()
      .getByRole("button", { name: /more characters$/ })
      .click();
    await button("Edit and approve …").click();
    const text = dialog().getByRole("textbox", { name: "Arguments" });
    expect(await text.inputValue()).toContain("rm \\u202egnp.exe\\u001b[2J");
    await dialog().getByText("No difference.").waitFor();
    expect(await page.locator("main img, main b, [role=dialog] img").count()).toBe(0);
    await button("Approve as edited").click();
    await closed();
    expect(await get(id)).toMatchObject({ status: "approved", edited_arguments: null });
    expect(await page.evaluate("window.__canary ?? null")).toBeNull();
  });

  test("on a small screen: the list, one question, and back", async () => {
    await people.ask("asker", { title: "Small things" });
    await page.setViewportSize({ width: 360, height: 780 });
    await signIn(stage, page, "/approvals");
    await line("Small things").click();
    await question().getByRole("heading", { name: "Small things" }).waitFor();
    expect(await line("Small things").count()).toBe(0);
    await page.keyboard.press("a");
    await dialog().waitFor();
    await page.keyboard.press("Escape");
    await closed();
    await question().waitFor();
    await page.keyboard.press("Escape");
    await line("Small things").waitFor();
    await button("History").click();
    await page.waitForURL("**view=history**");
  });

  test("the run's page answers its question in place, and keeps what was answered", async () => {
    const { id, run_id: runId } = await people.ask("asker", { title: "Go on?" });
    await signIn(stage, page, `/runs/${runId}`);
    await question().getByText("Go on?").waitFor();
    await button("Approve …").click();
    await button("Approve it").click();
    await closed();
    await page.getByText("1 answered").waitFor(LIVE);
    await page.locator("summary").filter({ hasText: "Go on?" }).click();
    await question().getByText("Approved by").waitFor();
    expect((await get(id)).status).toBe("approved");
  });

  test("the system tells of news, exhausted agents too, only when switched on", async () => {
    // What the page would show outside of itself; and it believes that somebody looks elsewhere.
    const record = `
      window.__told = [];
      document.hasFocus = () => false;
      window.Notification = class extends EventTarget {
        static permission = "default";
        static requestPermission = async () => (this.permission = "granted");
        constructor(title, { body }) { super(); window.__told.push(title + ": " + body); }
        close() {}
      };`;
    await page.addInitScript(record);
    const told = () => page.evaluate<string[]>("window.__told");
    await signIn(stage, page, "/approvals");
    await page.getByText("live", { exact: true }).waitFor();
    await people.ask("asker", { title: "Quiet" });
    await question().getByRole("heading", { name: "Quiet" }).waitFor(LIVE);
    expect(await told()).toEqual([]);
    await page.getByRole("switch").check();
    await people.ask("asker", { title: "Loud", risk: "high" });
    await expect.poll(told, LIVE).toEqual(["An approval waits: Loud · merge, risk high"]);
    await stage.client.accounts.exhausted("max-1", { reason: "quota", recovery_in_ms: 3_600_000 });
    await page.getByRole("alert").filter({ hasText: "asker is exhausted" }).waitFor(LIVE);
    await expect.poll(async () => (await told()).join(), LIVE).toContain("asker is exhausted");
  });
});

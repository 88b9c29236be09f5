// Signing in and out in a real browser: no key is kept, a link takes one press, the stream works by
// the cookie, an ended session leads to the sign-in and back, and roles are seen.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Signalbox } from "@signalbox/sdk";
import type { Role } from "@signalbox/sdk";
import type { Page } from "playwright-core";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

// There is nothing to click without a browser.
describe.skipIf(!hasBrowser)("sessions", () => {
  let stage: Stage;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    await stage.client.agents.register("ada", {});
  });
  afterAll(async () => {
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
  const fleet = () => page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  const keyField = () => page.getByRole("textbox", { name: "Key" });
  const clientOf = (role: Role): Signalbox =>
    new Signalbox({ url: stage.url, key: stage.scene.keys[role] });
  const openSessions = async (): Promise<string[]> =>
    (await stage.client.sessions.list({ limit: 100 })).items.map(({ id }) => id);
  /** Everything that a script of the page could read. */
  const readable = (): Promise<string> =>
    page.evaluate<string>(
      "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])",
    );

  test("a key is exchanged for a session and kept nowhere, also over a reload", async () => {
    const sent: string[] = [];
    page.on("request", (request) => {
      const { authorization } = request.headers();
      if (authorization !== undefined) sent.push(new URL(request.url()).pathname);
    });
    await page.goto("/");
    await keyField().fill("sbx_wrong");
    await button("Sign in").click();
    await page.getByText("Refused: unauthorized").waitFor();
    await keyField().fill(stage.scene.keys.admin);
    await button("Sign in").click();
    await fleet();
    // Once for each try, to make a link; after that the cookie speaks.
    expect(sent).toEqual(["/v1/logins", "/v1/logins"]);
    expect(await readable()).not.toMatch(/sb[xsl]_/);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict" });
    await page.reload();
    await fleet();
    await page.getByText("live", { exact: true }).waitFor();
    expect(sent).toHaveLength(2);
  });

  test("what happens comes by the cookie: the stream needs no key", async () => {
    await signIn(stage, page);
    await page.getByText("live", { exact: true }).waitFor();
    await stage.client.agents.pause("ada", { reason: "seen without a key" });
    await page.getByText("seen without a key").waitFor({ timeout: 60_000 });
    await stage.client.agents.resume("ada");
  });

  test("a link takes one press, leaves the address at once, and opens once", async () => {
    const { path } = await stage.client.sessions.link();
    await page.goto(path);
    await button("Open the dashboard").waitFor();
    expect(page.url()).toBe(`${stage.url}/login`);
    expect(await readable()).not.toContain("sbl_");
    // By keyboard: the button has the focus.
    await page.keyboard.press("Enter");
    await fleet();
    expect(page.url()).toBe(`${stage.url}/`);
    await page.goto("about:blank");
    await page.goto(path);
    await button("Open the dashboard").click();
    await page.getByText("A link opens once, within ten minutes.").waitFor();
    await page.goto("/");
    await fleet();
  });

  test("a link can be pasted where a key can", async () => {
    const { path } = await stage.client.sessions.link();
    await page.goto("/");
    await keyField().fill(`${stage.url}${path}`);
    await page.keyboard.press("Enter");
    await fleet();
  });

  test("signing out ends the session on the server, in every tab", async () => {
    const before = await openSessions();
    await signIn(stage, page);
    const mine = (await openSessions()).find((id) => !before.includes(id));
    const other = await page.context().newPage();
    await other.goto(`${stage.url}/queues`);
    await other.getByRole("heading", { name: "Queues", level: 1 }).waitFor();
    await button("Sign out").click();
    await keyField().waitFor();
    await page.getByText("You are signed out, in every tab").waitFor();
    await other.getByRole("textbox", { name: "Key" }).waitFor();
    expect(await openSessions()).not.toContain(mine);
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await keyField().waitFor();
  });

  test("a session that was ended leads to the sign-in, and back to the same address", async () => {
    const before = await openSessions();
    await signIn(stage, page, "/runs?agent=ada");
    await page.getByText("No run is like that").waitFor();
    const mine = (await openSessions()).find((id) => !before.includes(id));
    await stage.client.sessions.end(mine ?? "");
    // The end is an event: the page hears of it, asks anew, and is refused.
    await page.getByText("Your session has ended.").waitFor({ timeout: 60_000 });
    expect(new URL(page.url()).search).toBe("?agent=ada");
    await keyField().fill(stage.scene.keys.admin);
    await page.keyboard.press("Enter");
    await page.getByText("No run is like that").waitFor();
    expect(new URL(page.url()).search).toBe("?agent=ada");
  });

  test("a new link in the same tab leads back as well; no other site's address does", async () => {
    await page.goto("/queues");
    await keyField().waitFor();
    await page.goto((await stage.client.sessions.link()).path);
    await button("Open the dashboard").click();
    await page.getByRole("heading", { name: "Queues", level: 1 }).waitFor();
    await page.evaluate("sessionStorage.setItem('signalbox.return', '//evil.example/')");
    await page.goto((await stage.client.sessions.link()).path);
    await button("Open the dashboard").click();
    await fleet();
  });

  test("a key that is revoked ends its sessions; the page says so", async () => {
    const { id, key } = await stage.client.keys.create({ name: "short", roles: ["viewer"] });
    await signIn(stage, page, "/", key);
    await stage.client.keys.revoke(id);
    await page.getByText("Your session has ended.").waitFor({ timeout: 60_000 });
  });

  test("a login as somebody else in another tab is taken up, and writes go on", async () => {
    await signIn(stage, page, "/queues");
    await stage.client.queues.pause("nightly", { reason: "test" });
    await button("Resume queue nightly").waitFor({ timeout: 60_000 });
    const other = await page.context().newPage();
    const { path } = await clientOf("operator").sessions.link();
    await other.goto(`${stage.url}${path}`);
    await other.getByRole("button", { name: "Open the dashboard" }).click();
    await other.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
    await button("Resume queue nightly").click();
    await button("Pause queue nightly").waitFor();
    const [deed] = (await stage.client.audit.list({ type: "queue.resumed", limit: 1 })).items;
    expect(deed?.actor_name).toBe("operator");
  });

  test("a viewer may look: what it may not do says which role it needs", async () => {
    await signIn(stage, page, "/", stage.scene.keys.viewer);
    const stop = button("Stop all …");
    expect(await stop.getAttribute("aria-disabled")).toBe("true");
    expect(await stop.getAttribute("title")).toBe(
      "Needs the role operator; you are signed in as viewer.",
    );
    await stop.focus();
    await page.keyboard.press("Enter");
    expect(await page.getByRole("dialog").count()).toBe(0);
    const { id } = await stage.client.runs.submit({ agent: "ada" });
    for (const [path, act] of [
      ["/", "Pause ada"],
      ["/runs", "Cancel all that match …"],
      [`/runs/${id}`, "Kill …"],
    ] as const) {
      await page.goto(path);
      expect([act, await button(act).getAttribute("aria-disabled")]).toEqual([act, "true"]);
    }
    const refused: string[] = [];
    page.on("response", (response) => {
      if (response.status() === 403) refused.push(response.url());
    });
    for (const [path, says] of [
      ["/audit", "The audit trail needs the role operator"],
      ["/health", "Looking at servers and database needs the role operator"],
      ["/settings", "Looking at keys needs the role admin"],
    ] as const) {
      await page.goto(path);
      await page.getByText(says).waitFor();
    }
    await page.goto("/webhooks");
    await page.getByText("No webhook yet").waitFor();
    expect(await button("New webhook …").getAttribute("aria-disabled")).toBe("true");
    expect(refused).toEqual([]);
  });
});

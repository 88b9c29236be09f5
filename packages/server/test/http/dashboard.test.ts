// The dashboard's files as the server gives them: a closed list, compressed, kept while safe.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDashboard } from "../../src/http/dashboard.ts";
import { doors } from "./recorder.ts";
import { ask } from "./scene.ts";

const html = "<!doctype html><title>Signalbox</title>";
const script = "export const said = 'hello';";
const browser = { accept: "text/html,application/xhtml+xml", "accept-encoding": "gzip, br" };
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-dashboard-"));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), html);
  writeFileSync(join(folder, "assets/index-abc123.js"), script);
  writeFileSync(join(folder, "assets/index-abc123.js.br"), brotliCompressSync(script));
  writeFileSync(join(folder, "assets/index-abc123.js.gz"), gzipSync(script));
  writeFileSync(join(folder, ".made-of"), "not for browsers");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = () => doors({}, { dashboard: openDashboard(folder) });

describe("a built dashboard", () => {
  test("its page is never kept, its hashed files for ever", async () => {
    const { app } = open();
    const page = await ask(app, null, "GET /");
    expect([page.status, page.text, page.headers["cache-control"]]).toEqual([
      200,
      html,
      "no-store",
    ]);
    const file = await ask(app, null, "GET /assets/index-abc123.js");
    expect([file.status, file.text]).toEqual([200, script]);
    expect(file.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(file.headers["content-type"]).toBe("text/javascript; charset=utf-8");
  });

  test("files go out as the build compressed them", async () => {
    const { app } = open();
    const encodingFor = async (accepts: string): Promise<unknown> => {
      const headers = { "accept-encoding": accepts };
      return (await ask(app, null, "GET /assets/index-abc123.js", { headers })).headers[
        "content-encoding"
      ];
    };
    expect(await encodingFor("gzip, deflate, br")).toBe("br");
    expect(await encodingFor("gzip")).toBe("gzip");
    expect(await encodingFor("identity")).toBeUndefined();
  });

  test("every answer of it carries the strict policy", async () => {
    const { app } = open();
    for (const path of ["/", "/assets/index-abc123.js", "/runs/run_1"]) {
      const { headers } = await ask(app, null, `GET ${path}`, { headers: browser });
      const policy = String(headers["content-security-policy"]);
      for (const rule of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]) {
        expect(policy.split(";")).toContain(rule);
      }
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
  });

  test("an address of one of its screens is its page, to browsers alone", async () => {
    const { app } = open();
    const page = await ask(app, null, "GET /runs/run_1?tab=log", { headers: browser });
    expect([page.status, page.text]).toEqual([200, html]);
    const program = await ask(app, null, "GET /runs/run_1");
    expect([program.status, program.body.code]).toEqual([404, "not_found"]);
  });

  test("login links lead to it, and the page without a dashboard is not there", async () => {
    const { app } = open();
    const login = await ask(app, null, "GET /login", { headers: browser });
    expect([login.status, login.text, login.headers["cache-control"]]).toEqual([
      200,
      html,
      "no-store",
    ]);
    expect((await ask(app, null, "GET /login.js", { headers: browser })).status).toBe(404);
  });

  test.each([
    "/v1/nothing",
    "/assets/index-old.js",
    "/.made-of",
    "/index.html.br",
    "/assets/../.made-of",
    "/assets/%2e%2e/.made-of",
    "/../../package.json",
    "/..%2f..%2fpackage.json",
  ])("%s is no file of it", async (path) => {
    const { app, calls } = open();
    const { status } = await ask(app, null, `GET ${path}`, { headers: browser });
    expect(status).toBe(404);
    expect(calls).toEqual([]);
  });
});

test("without a build there is one page without a script", async () => {
  const { app } = doors({}, { dashboard: openDashboard(join(folder, "assets")) });
  const page = await ask(app, null, "GET /", { headers: browser });
  expect(page.status).toBe(200);
  expect(page.text).not.toContain("<script");
  expect((await ask(app, null, "GET /runs", { headers: browser })).status).toBe(404);
});

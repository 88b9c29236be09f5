// Browsers: no page of another site reaches a route, whatever it sends (F-117).

import { describe, expect, test } from "vitest";
import { doors, key, keyed, lineOf, routes } from "./recorder.ts";
import { ask } from "./scene.ts";

describe("browsers (F-117)", () => {
  const json = { "content-type": "application/json" };
  const hostile: readonly (readonly [string, { [name: string]: string }])[] = [
    ["a name of the attacker", { host: "attacker.example" }],
    ["a name that begins like ours", { host: "localhost.attacker.example" }],
    ["a name that ends like ours", { host: "evil-localhost" }],
    ["a name with a user", { host: "localhost@attacker.example" }],
    ["another address of the loopback", { host: "127.0.0.2:7070" }],
    ["another origin", { origin: "https://attacker.example" }],
    ["an origin of another port", { origin: "http://localhost:3000" }],
    ["the null origin", { origin: "null" }],
    ["a cross-site fetch", { "sec-fetch-site": "cross-site" }],
    ["a same-site fetch", { "sec-fetch-site": "same-site" }],
  ];
  test.each(hostile)("%s reaches no route", async (_name, headers) => {
    const { app, calls } = doors();
    for (const one of routes) {
      const reply = await ask(app, key, lineOf(one), { headers });
      expect([reply.status, reply.body.code]).toEqual([403, "forbidden_origin"]);
    }
    expect(calls).toEqual([]);
  });

  test.each([
    ["text", { "content-type": "text/plain" }, '{"input": 1}'],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, "input=1"],
    ["a form with a file", { "content-type": "multipart/form-data; boundary=x" }, "--x--"],
    ["no type", { "content-type": "" }, '{"input": 1}'],
    ["another character set", { "content-type": "application/json; charset=utf-16" }, "{}"],
    ["a type that only looks like it", { "content-type": "application/jsonx" }, "{}"],
    ["compressed JSON", { ...json, "content-encoding": "gzip" }, "{}"],
    ["an unknown encoding", { ...json, "content-encoding": "br, gzip" }, "{}"],
  ])("%s is no body of any route", async (_name, headers, body) => {
    const { app, calls } = doors();
    for (const one of keyed.filter(({ method }) => method !== "GET")) {
      const reply = await ask(app, key, lineOf(one), { headers, body });
      expect([reply.status, reply.body.code]).toEqual([400, "unsupported_media_type"]);
    }
    expect(calls).toEqual([]);
  });

  test("the same origin and configured names are served", async () => {
    const { app } = doors({}, { allowedHosts: ["signalbox.example"] });
    for (const headers of [
      { host: "localhost:7070", origin: "http://localhost:7070", "sec-fetch-site": "same-origin" },
      { host: "127.0.0.1:7070" },
      { host: "[::1]:7070", origin: "http://[::1]:7070" },
      { host: "LOCALHOST" },
      { host: "Signalbox.Example:443", origin: "https://signalbox.example:443" },
      { host: "localhost", "sec-fetch-site": "none" },
    ] as { [name: string]: string }[]) {
      expect((await ask(app, null, "GET /healthz", { headers })).status).toBe(200);
    }
  });

  test("no answer invites another site in", async () => {
    const { app } = doors();
    const preflight = { origin: "http://localhost", "access-control-request-method": "POST" };
    const reply = await ask(app, null, "OPTIONS /v1/runs", {
      headers: { ...preflight, host: "localhost" },
    });
    expect(reply.status).toBe(400);
    expect(Object.keys(reply.headers).filter((name) => name.startsWith("access-"))).toEqual([]);
  });
});

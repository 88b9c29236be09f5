// The server that commands would talk to: is it there, does it answer, is it of our version?
// Promises: asks only; waits at most some seconds for an answer.
// Leaves to others: finding it (discovery.ts), its database (database.ts).

import { type Around } from "../brief-server.ts";
import { openDoor } from "../door.ts";
import { failureOf } from "../failure.ts";
import { version } from "../../version.ts";
import { clocks, fail, type Finding, ok, warn } from "./check.ts";

type Readiness = { ready: boolean; database: string; sweep_lag_ms: number; version: string };

export async function lookAtServer(around: Around): Promise<Finding[]> {
  const door = await openDoor(around, { otherwise: "refuse" }).catch((error: unknown) => error);
  if (!isDoor(door)) {
    const failure = failureOf(door);
    if (failure.code === "no_server") return [ok("server", "no server runs here")];
    return [warn("server", failure.message, "set the variable it names")];
  }
  const { client, url } = door;
  try {
    const asked = Date.now();
    const answer = await client.http.send<Readiness>("GET", "/readyz", { retry: false });
    const findings = [ok("server", `${url} answers, version ${answer.body.version}`)];
    findings.push(...lookAtClock(asked, answer.headers.get("date")));
    if (answer.body.version !== version) {
      const todo = "use the same version on both sides";
      findings.push(warn("server.version", `this command is version ${version}`, todo));
    }
    await client.projects.current();
    return [...findings, ok("server.key", "the key is good")];
  } catch (error) {
    const { code, message } = failureOf(error);
    const todo =
      code === "unauthorized" ? "set SIGNALBOX_KEY to a good key" : "look at the server's log";
    return [fail("server", `${url}: ${message}`, todo)];
  } finally {
    await door.close();
  }
}

type Door = Awaited<ReturnType<typeof openDoor>>;
const isDoor = (value: unknown): value is Door =>
  typeof value === "object" && value !== null && "client" in value;

/** The `Date` of the answer counts seconds: one is no difference. */
function lookAtClock(asked: number, date: string | null): Finding[] {
  const at = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(at)) return [];
  const skew = Math.round(at + 500 - (asked + Date.now()) / 2);
  const todo = "set the clocks by NTP: instants on screens would mislead";
  return [clocks("clock", skew, { whose: "the server's", todo })];
}

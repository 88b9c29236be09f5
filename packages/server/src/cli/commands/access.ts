// `audit`, `login`, `sessions`: who did what, and who is logged in.
// Promises: a login link is printed once, by the command that made it; the trail is shown newest
// first, as the server has it.
// Leaves to others: who may see it (the server; `--owner` uses the owner's key).

import type { AuditEntry, Session } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec, type FlagSpec } from "../command.ts";
import type { Door } from "../door.ts";
import { throughDoor, usual } from "../door.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { safeLine } from "../safe-text.ts";
import { ago } from "../show-run.ts";

/** A link to a server that ends with this command would open nothing. */
const running = { otherwise: "refuse" } as const;

const ownerFlag = (says: string): FlagSpec => ({ flag: "--owner", says });
const whose = (call: Call): { installation?: true } =>
  call.on("owner") ? { installation: true } : {};
const through = <T>(call: Call, use: (door: Door) => Promise<T>): Promise<T> =>
  throughDoor(call, { ...usual, owner: call.on("owner") }, use);

function deedRow(deed: AuditEntry): string[] {
  const { actor, actor_name: name, target, reason } = deed;
  return [
    deed.at,
    safeLine(name === null ? actor : `${name} (${actor})`, 50),
    safeLine(deed.type),
    safeLine(target?.id ?? "", 40),
    safeLine(reason ?? "", 60),
  ];
}

const audit: CommandSpec = {
  words: "audit",
  says: "Show who did what, when, to what and why, newest first",
  flags: [
    { flag: "--actor <actor>", says: "only by this key or session, as `key:<prefix>`" },
    { flag: "--type <type>", says: "only this type of event, such as queue.paused" },
    { flag: "--run <id>", says: "only what was done to this run" },
    { flag: "--from <when>", says: "from an instant on, or 2h ago" },
    { flag: "--to <when>", says: "before an instant, or 2h ago" },
    ownerFlag("what happened to the owner's keys and sessions instead"),
    ...pageFlags,
  ],
  options: clientOptions,
  examples: ["signalbox audit --from 24h", "signalbox audit --type project.stopped"],
  act: async (call) => {
    const [actor, type, run] = [call.text("actor"), call.text("type"), call.text("run")];
    const [from, to] = [call.instant("from", "ago"), call.instant("to", "ago")];
    const page = await through(call, ({ client }) =>
      client.audit.list({
        ...pageOf(call),
        ...whose(call),
        ...(actor && { actor }),
        ...(type && { type }),
        ...(run && { run }),
        ...(from && { from }),
        ...(to && { to }),
      }),
    );
    showPage(call, page, {
      none: "nothing was done that fits",
      show: (items) => call.screen.table(["WHEN", "WHO", "WHAT", "TO", "WHY"], items.map(deedRow)),
    });
  },
};

const login: CommandSpec = {
  words: "login",
  says: "Print a link to the dashboard that signs a browser in, once, within ten minutes",
  more: "The session may do what the key may that made it, and ends with it.",
  flags: [ownerFlag("log in as the owner of the installation")],
  options: clientOptions,
  examples: ["signalbox login", "signalbox login --owner"],
  act: async (call) => {
    const door = { ...running, owner: call.on("owner") };
    const made = await throughDoor(call, door, async ({ client, url }) => {
      const { path, expires_at } = await client.sessions.link();
      return { url: new URL(path, url).href, expires_at };
    });
    call.screen.result(made, () => call.screen.line(made.url));
    call.screen.aside("Opens once, within ten minutes.");
  },
};

function sessionRow(session: Session): string[] {
  return [
    session.id,
    safeLine(session.key_prefix),
    ago(session.opened_at),
    ago(session.seen_at),
    ago(session.expires_at),
  ];
}

const sessions: readonly CommandSpec[] = [
  {
    words: "sessions list",
    says: "List the sessions that are open",
    flags: [...pageFlags, ownerFlag("the owner's sessions instead of the project's")],
    options: clientOptions,
    examples: ["signalbox sessions list"],
    act: async (call) => {
      const page = await through(call, ({ client }) =>
        client.sessions.list({ ...pageOf(call), ...whose(call) }),
      );
      showPage(call, page, {
        none: "nobody is logged in",
        show: (items) =>
          call.screen.table(["SESSION", "KEY", "OPENED", "USED", "ENDS"], items.map(sessionRow)),
      });
    },
  },
  {
    words: "sessions end",
    says: "End a session at once",
    takes: [{ name: "id", says: "id of the session (`sessions list`)" }],
    flags: [ownerFlag("a session of the owner's")],
    options: clientOptions,
    examples: ["signalbox sessions end ses_01j…"],
    act: async (call) => {
      const ended = await through(call, ({ client }) =>
        client.sessions.end(call.argument(0), whose(call)),
      );
      call.screen.result(ended, () => call.screen.line(`${ended.id} has ended`));
    },
  },
];

export const accessCommands: readonly CommandSpec[] = [audit, login, ...sessions];

// `keys`: who may talk to a project, or (`--owner`) to the installation.
// Promises: a key is printed once, by the command that made it.
// Leaves to others: who may do it (the server; the local key may, or the owner's is used).

import type { ApiKey, Role } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec, type FlagSpec } from "../command.ts";
import type { Door } from "../door.ts";
import { throughDoor, usual } from "../door.ts";
import { usage } from "../failure.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { safeLine } from "../safe-text.ts";
import { ago } from "../show-run.ts";

const asOwner = { ...usual, owner: true } as const;

const ownerFlag: FlagSpec = {
  flag: "--owner",
  says: "the owner's keys instead of the project's; needs the owner's key",
};

const roles: readonly Role[] = [
  "viewer",
  "submitter",
  "worker",
  "approver",
  "operator",
  "admin",
  "owner",
];

const keyState = (key: ApiKey): string => {
  if (key.revoked_at !== null) return `revoked ${ago(key.revoked_at)}`;
  if (key.expires_at === null) return "good";
  return Date.parse(key.expires_at) > Date.now()
    ? `expires ${ago(key.expires_at)}`
    : `expired ${ago(key.expires_at)}`;
};

/** Whose keys, as the client takes it. */
const whose = (call: Call): { installation?: true } =>
  call.on("owner") ? { installation: true } : {};

function through<T>(call: Call, use: (door: Door) => Promise<T>): Promise<T> {
  return throughDoor(call, call.on("owner") ? asOwner : usual, use);
}

function keyRow(key: ApiKey): string[] {
  const bound = key.agents === null ? "" : ` as ${key.agents.join(", ")}`;
  return [
    safeLine(key.prefix),
    safeLine(key.name, 30),
    safeLine(`${key.roles.join(", ")}${bound}`, 60),
    keyState(key),
    key.last_used_at === null ? "never" : ago(key.last_used_at),
    key.id,
  ];
}

const list: CommandSpec = {
  words: "keys list",
  says: "List the keys of the project, without the keys themselves",
  flags: [...pageFlags, ownerFlag],
  options: clientOptions,
  examples: ["signalbox keys list", "signalbox keys list --owner"],
  act: async (call) => {
    const page = await through(call, ({ client }) =>
      client.keys.list({ ...pageOf(call), ...whose(call) }),
    );
    showPage(call, page, {
      none: "no keys",
      show: (items) =>
        call.screen.table(["KEY", "NAME", "ROLES", "STATE", "USED", "ID"], items.map(keyRow)),
    });
  },
};

const create: CommandSpec = {
  words: "keys create",
  says: "Create a key; it is printed once",
  takes: [{ name: "name", says: "what it is for" }],
  flags: [
    { flag: "--role <role>", says: `one of ${roles.join(", ")}`, many: true },
    { flag: "--agent <name>", says: "a worker's key for this agent only", many: true },
    { flag: "--expires <when>", says: "an instant, or 30d from now; default never" },
  ],
  options: clientOptions,
  examples: [
    "signalbox keys create build-7 --role worker --expires 90d",
    "signalbox keys create reviewers --role worker --agent ada --agent bob",
  ],
  act: async (call) => {
    const wanted = call.words("role", roles) ?? [];
    if (wanted.length === 0) throw usage(`This needs --role: ${roles.join(", ")}.`);
    const expires = call.instant("expires");
    const agents = call.texts("agent") ?? [];
    const door = wanted.includes("owner") ? asOwner : usual;
    const key = await throughDoor(call, door, ({ client }) =>
      client.keys.create({
        name: call.argument(0),
        roles: wanted,
        ...(expires && { expires_at: expires }),
        ...(agents.length > 0 && { agents }),
      }),
    );
    call.screen.result(key, () => call.screen.line(key.key));
    call.screen.aside("Keep it: it is never shown again.");
  },
};

const theKey = { name: "id", says: "id of the key (`keys list`)" };
/** 30 days. */
const LONGEST_OVERLAP_S = 2_592_000;

const rotate: CommandSpec = {
  words: "keys rotate",
  says: "Create a key in place of another, which lives on for a day",
  takes: [theKey],
  flags: [
    { flag: "--overlap <seconds>", says: "how long the old key lives on; 0: it ends at once" },
    { flag: "--expires <when>", says: "default: as long as the old key was made for" },
    ownerFlag,
  ],
  options: clientOptions,
  examples: ["signalbox keys rotate key_01j…", "signalbox keys rotate key_01j… --overlap 0"],
  act: async (call) => {
    const overlap = call.number("overlap", { least: 0, most: LONGEST_OVERLAP_S });
    const expires = call.instant("expires");
    const key = await through(call, ({ client }) =>
      client.keys.rotate(call.argument(0), {
        ...whose(call),
        ...(overlap !== undefined && { overlap_s: overlap }),
        ...(expires && { expires_at: expires }),
      }),
    );
    call.screen.result(key, () => call.screen.line(key.key));
    call.screen.aside("Keep it: it is never shown again.");
  },
};

const revoke: CommandSpec = {
  words: "keys revoke",
  says: "End a key at once",
  takes: [theKey],
  flags: [ownerFlag],
  options: clientOptions,
  examples: ["signalbox keys revoke key_01j…"],
  act: async (call) => {
    const key = await through(call, ({ client }) =>
      client.keys.revoke(call.argument(0), whose(call)),
    );
    call.screen.result(key, () => call.screen.line(`${safeLine(key.name)} ${keyState(key)}`));
  },
};

export const keyCommands: readonly CommandSpec[] = [list, create, rotate, revoke];

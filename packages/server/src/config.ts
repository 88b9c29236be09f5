// Options: one table of everything that can be set from outside, and the only reader of the
// environment. Promises: a flag wins over the environment, that over the default; an empty variable
// is an unset one; a value that cannot be used is refused in one sentence that names the option and
// says what would be right, never the value of a secret. The reference page is made from the table.
// Leaves to others: flags that belong to one command alone (`cli/commands`), acting on any of it.

import { resolve } from "node:path";
import { StartRefused } from "./start-refused.ts";

/** An address to listen on. Port 0 = any free one. */
export type ListenAddress = { readonly host: string; readonly port: number };

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["auto", "text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

export const DEFAULT_PORT = 4400;
/** Made by the first start. */
export const DEFAULT_PROJECT = "default";

type Option<T> = {
  readonly env: string;
  /** As the command line spells it; null = it is never a flag. */
  readonly flag: string | null;
  /** What the flag's value is, for `--help`. */
  readonly value: string;
  readonly secret: boolean;
  readonly default: T;
  /** The default in words, for the reference. */
  readonly defaultText: string;
  readonly doc: string;
  /** Throws a TypeError whose message continues "<option> …". */
  readonly parse: (text: string) => T;
};

const option = <T>(one: Option<T>): Option<T> => one;

function wrong(what: string): never {
  throw new TypeError(what);
}

function word<const Words extends readonly string[]>(
  words: Words,
): (text: string) => Words[number] {
  return (text) =>
    words.includes(text) ? text : wrong(`must be one of ${words.join(", ")}, not ${quoted(text)}`);
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

function parseListen(text: string): ListenAddress {
  const match = /^(?:(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?|:(\d{1,5}))$/i.exec(text);
  const alone = /^\d{1,5}$/.test(text);
  const port = Number(alone ? text : (match?.[2] ?? match?.[3] ?? DEFAULT_PORT));
  if ((match === null && !alone) || port > 65_535) {
    wrong(`must be host:port, such as 127.0.0.1:${DEFAULT_PORT}, not ${quoted(text)}`);
  }
  // A port alone is loopback: whoever wants to be reached from outside has to say so.
  const host = alone ? "127.0.0.1" : (match?.[1] ?? "127.0.0.1");
  return { host: host.replace(/^\[|\]$/g, ""), port };
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  return wrong(`must be an address such as http://127.0.0.1:${DEFAULT_PORT}, not ${quoted(text)}`);
}

function parseDatabaseUrl(text: string): string {
  if (/^postgres(?:ql)?:\/\//.test(text)) return text;
  return wrong("must begin with postgres://, such as postgres://user:password@host:5432/database");
}

function parseEventsUrl(text: string): string {
  if (/^(?:redis|rediss|valkey|valkeys):\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  return wrong("must begin with redis:// or rediss://, such as redis://:password@host:6379/0");
}

function parseHosts(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const bad = names.find((name) => !/^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(name));
  if (bad === undefined) return names;
  return wrong(`must be host names without ports, separated by commas; ${quoted(bad)} is none`);
}

/** Requests of one key: per second, and at once. `perSecond` 0 = no limit. */
export type Rate = { readonly perSecond: number; readonly burst: number };

function parseRate(text: string): Rate {
  const match = /^(\d{1,7})(?:\/(\d{1,7}))?$/.exec(text);
  const perSecond = Number(match?.[1]);
  const burst = Number(match?.[2] ?? perSecond * 5);
  if (match === null || (perSecond > 0 && burst < 1)) {
    wrong(`must be requests a second and at once, such as 1000/5000, not ${quoted(text)}`);
  }
  return { perSecond, burst };
}

const none = null as string | null;

/** Every option. The order is that of the reference. */
export const optionTable = {
  databaseUrl: option<string | null>({
    env: "DATABASE_URL",
    flag: null,
    value: "url",
    secret: true,
    default: none,
    defaultText: "the PostgreSQL in the box",
    doc:
      "Database of the server: any PostgreSQL from version 15 on, shared by any number of " +
      "servers. Read by `up`, `db` and `doctor`; other commands use it only in a data folder " +
      "that `up` used with it.",
    parse: parseDatabaseUrl,
  }),
  data: option<string | null>({
    env: "SIGNALBOX_DATA",
    flag: "--data",
    value: "folder",
    secret: false,
    default: none,
    defaultText: "the nearest `.signalbox` at or above the working folder, else a new one there",
    doc: "Data folder: the database in the box, keys, and where the running server is found.",
    parse: (text) => resolve(text),
  }),
  listen: option<ListenAddress>({
    env: "SIGNALBOX_LISTEN",
    flag: "--listen",
    value: "host:port",
    secret: false,
    default: { host: "127.0.0.1", port: DEFAULT_PORT },
    defaultText: `127.0.0.1:${DEFAULT_PORT}`,
    doc:
      "Address the server listens on. Port 0 = any free one. Anything but loopback is for " +
      "networks you trust, or behind a proxy that speaks TLS.",
    parse: parseListen,
  }),
  allowedHosts: option<readonly string[]>({
    env: "SIGNALBOX_ALLOWED_HOSTS",
    flag: "--allowed-hosts",
    value: "names",
    secret: false,
    default: [],
    defaultText: "localhost, and the host of the listen address",
    doc:
      "Further host names under which the server may be addressed, separated by commas. Requests" +
      " for other hosts are refused: that keeps web pages out.",
    parse: parseHosts,
  }),
  rate: option<Rate>({
    env: "SIGNALBOX_RATE",
    flag: "--rate",
    value: "requests/burst",
    secret: false,
    default: { perSecond: 1000, burst: 5000 },
    defaultText: "1000/5000",
    doc:
      "Requests a second that one key may send to one server, and how many may come at once; 0 = " +
      "no limit. What keeps a lease (claims, heartbeats, reports, events) and what stops a run " +
      "is counted apart and far more generously.",
    parse: parseRate,
  }),
  logLevel: option<LogLevel>({
    env: "SIGNALBOX_LOG_LEVEL",
    flag: "--log-level",
    value: "level",
    secret: false,
    default: "info",
    defaultText: "info",
    doc: `Least important lines the server logs: ${logLevels.join(", ")}. Logs go to stderr.`,
    parse: word(logLevels),
  }),
  logFormat: option<LogFormat>({
    env: "SIGNALBOX_LOG_FORMAT",
    flag: "--log-format",
    value: "format",
    secret: false,
    default: "auto",
    defaultText: "auto",
    doc:
      "text for people, json for machines (one object per line); auto = text on a terminal, json" +
      " elsewhere.",
    parse: word(logFormats),
  }),
  otlpEndpoint: option<string | null>({
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    flag: null,
    value: "url",
    secret: true,
    default: none,
    defaultText: "unset: no traces",
    doc:
      "Where `up` sends traces (OTLP). Needs the package `@opentelemetry/sdk-node` beside this " +
      "one, which reads the other `OTEL_…` variables.",
    parse: (text) => text,
  }),
  otelServiceName: option<string>({
    env: "OTEL_SERVICE_NAME",
    flag: null,
    value: "name",
    secret: false,
    default: "signalbox",
    defaultText: "signalbox",
    doc: "What this server is called in traces.",
    parse: (text) => text,
  }),
  eventsUrl: option<string | null>({
    env: "SIGNALBOX_EVENTS_URL",
    flag: null,
    value: "url",
    secret: true,
    default: none,
    defaultText: "none",
    doc:
      "Valkey or Redis that gets every event of every project: a stream and a channel " +
      "`signalbox:{<project id>}:events` each. Needs the package `iovalkey`.",
    parse: parseEventsUrl,
  }),
  url: option<string | null>({
    env: "SIGNALBOX_URL",
    flag: "--url",
    value: "url",
    secret: false,
    default: none,
    defaultText: "found through the data folder, then the user's current server",
    doc: "Server to talk to.",
    parse: parseUrl,
  }),
  key: option<string | null>({
    env: "SIGNALBOX_KEY",
    flag: null,
    value: "key",
    secret: true,
    default: none,
    defaultText: "the local key in the data folder",
    doc:
      "Key (`sbx_…`) to talk to the server with. Not a flag: other users of the machine can read" +
      " arguments.",
    parse: (text) =>
      /^sb[xac]_\S+$/.test(text) ? text : wrong("must be a key, which begins with sbx_"),
  }),
  project: option<string | null>({
    env: "SIGNALBOX_PROJECT",
    flag: "--project",
    value: "name",
    secret: false,
    default: none,
    defaultText: "the project of the key",
    doc: "Project to act in, by name or id. Needs a key of that project or the owner's.",
    parse: (text) => text,
  }),
  runId: option<string | null>({
    env: "SIGNALBOX_RUN_ID",
    flag: "--run",
    value: "id",
    secret: false,
    default: none,
    defaultText: "none; set for the programs of a worker",
    doc: "The run a program works on: `approvals ask` asks in its name.",
    parse: (text) => (/^run_[0-9a-z]{26}$/.test(text) ? text : wrong("must be the id of a run")),
  }),
  attemptKey: option<string | null>({
    env: "SIGNALBOX_ATTEMPT_KEY",
    flag: null,
    value: "key",
    secret: true,
    default: none,
    defaultText: "none; set for the programs of a worker",
    doc: "Key of an attempt, or of its child: may ask for that run, and dies with the lease.",
    parse: (text) =>
      /^sb[ac]_\S+$/.test(text) ? text : wrong("must be the key of an attempt or its child"),
  }),
  stateHome: option<string | null>({
    env: "XDG_STATE_HOME",
    flag: null,
    value: "folder",
    secret: false,
    default: none,
    defaultText: "`~/.local/state`",
    doc: "Where the user's current server is remembered (`signalbox/current.json`).",
    parse: (text) => resolve(text),
  }),
  noColour: option<boolean>({
    env: "NO_COLOR",
    flag: null,
    value: "any",
    secret: false,
    default: false,
    defaultText: "unset",
    doc: "Any value: no colours, also on a terminal.",
    parse: () => true,
  }),
  forceColour: option<boolean>({
    env: "FORCE_COLOR",
    flag: null,
    value: "any",
    secret: false,
    default: false,
    defaultText: "unset",
    doc: "Any value but 0: colours also when the output is piped.",
    parse: (text) => text !== "0",
  }),
} as const;

export type OptionName = keyof typeof optionTable;
export type Config = { readonly [Name in OptionName]: (typeof optionTable)[Name]["default"] };

/** Values of flags as the command line has them, by option. */
export type Flags = { readonly [Name in OptionName]?: string | undefined };

/** Exit code for a wrong flag; a wrong variable is a wrong configuration (78). */
const EXIT_USAGE = 64;

/** A flag that cannot be used. */
class FlagRefused extends Error {
  override readonly name = "FlagRefused";
  readonly code = "usage";
  readonly exitCode = EXIT_USAGE;
}

/** Reads everything. Throws `FlagRefused` or `StartRefused` for the first value that is wrong. */
export function readConfig(flags: Flags = {}, env: NodeJS.ProcessEnv = process.env): Config {
  const entries = Object.entries(optionTable).map(([name, one]) => {
    const flag = flags[name as OptionName];
    if (flag !== undefined) return [name, parsed(one, flag, "flag")];
    const text = env[one.env];
    return [name, text === undefined || text === "" ? one.default : parsed(one, text, "env")];
  });
  return Object.fromEntries(entries) as Config;
}

function parsed(one: Option<unknown>, text: string, from: "flag" | "env"): unknown {
  try {
    return one.parse(text);
  } catch (error) {
    const { message } = error as Error;
    if (from === "flag") throw new FlagRefused(`${one.flag} ${message}.`, { cause: error });
    throw new StartRefused("bad_option", `${one.env} ${message}.`, error);
  }
}

/**
 * The environment for a process of ours that talks to one server: this process's, without what
 * names another server or database.
 */
export function environmentFor(
  server: { url: string; key: string },
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const own = Object.values(optionTable).map((one) => one.env);
  const kept = Object.entries(env).filter(
    ([name]) => !own.includes(name) || name === "NO_COLOR" || name === "FORCE_COLOR",
  );
  return { ...Object.fromEntries(kept), SIGNALBOX_URL: server.url, SIGNALBOX_KEY: server.key };
}

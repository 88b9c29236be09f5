// Agents, accounts with their limits and runtimes as people read them.
// Promises: nothing a worker or an operator wrote reaches the terminal unescaped.
// Leaves to others: fetching (commands/), JSON (`--json` prints the wire shapes as they are).

import type { Account, Agent, Exhaustion, Runtime } from "@signalbox/sdk";
import { safeLine } from "./safe-text.ts";
import type { Colours, Screen } from "./screen.ts";
import { ago } from "./show-run.ts";

function paintStatus(status: string, c: Colours): string {
  const paints: Readonly<Record<string, (text: string) => string>> = {
    idle: c.green,
    busy: c.cyan,
    on_call: c.cyan,
    exhausted: c.yellow,
    offline: c.red,
    online: c.green,
    draining: c.yellow,
    stale: c.red,
  };
  return (paints[status] ?? ((text) => text))(safeLine(status));
}

/** Why an agent does not work, in a few words. */
function about(agent: Agent): string {
  if (agent.pause_reason !== null) return `paused: ${agent.pause_reason}`;
  if (agent.exhausted_until !== null) return `until ${agent.exhausted_until}`;
  return agent.status_reason ?? "";
}

/** The table of `agents list`. */
export function showAgents(screen: Screen, agents: readonly Agent[]): void {
  const rows = agents.map((one) => [
    safeLine(one.name, 30),
    paintStatus(one.status, screen.colours),
    ago(one.status_since),
    one.max_concurrent === null ? String(one.live) : `${one.live}/${one.max_concurrent}`,
    safeLine(one.accounts.join(", "), 30),
    safeLine(about(one), 60),
  ]);
  screen.table(["AGENT", "STATUS", "SINCE", "LIVE", "ACCOUNTS", "ABOUT"], rows);
}

/** An agent in a line. */
export function agentLine(agent: Agent, c: Colours): string {
  const paused = agent.paused_at === null ? "" : `, paused: ${safeLine(agent.pause_reason ?? "")}`;
  return `${safeLine(agent.name)} ${paintStatus(agent.status, c)}${paused}`;
}

/** The record of `agents show`, with the limits of its accounts. */
export function showAgent(screen: Screen, agent: Agent, accounts: readonly Account[]): void {
  const { colours: c } = screen;
  const labels = Object.entries(agent.labels).map(([name, value]) => `${name}=${value}`);
  const { slot } = agent;
  const facts: [string, string | null][] = [
    ["agent", agent.name],
    ["about", agent.description],
    ["status", `${agent.status} since ${agent.status_since} (${ago(agent.status_since)})`],
    ["reason", agent.status_reason],
    ["paused", agent.paused_at === null ? null : `${agent.pause_reason} (${agent.paused_by})`],
    ["exhausted", agent.exhausted_until === null ? null : `until ${agent.exhausted_until}`],
    ["live", String(agent.live)],
    ["at most", agent.max_concurrent === null ? "unlimited" : String(agent.max_concurrent)],
    ["longest", agent.max_run_duration_s === null ? null : `${agent.max_run_duration_s} s`],
    ["models", agent.models === null ? "any" : agent.models.join(", ")],
    ["can", agent.capabilities.join(", ")],
    ["labels", labels.join(", ")],
    ["accounts", agent.accounts.join(", ")],
    ["slot", slot === null ? null : `${slot.type} ${slot.id} until ${slot.ends_at}`],
    ["heartbeat", agent.last_heartbeat_at === null ? "never" : ago(agent.last_heartbeat_at)],
  ];
  for (const [name, value] of facts) {
    if (value !== null && value !== "") screen.line(`${c.dim(name.padEnd(11))} ${safeLine(value)}`);
  }
  const limits = accounts.flatMap(({ exhaustions }) => exhaustions);
  if (limits.length > 0) {
    screen.line();
    showLimits(screen, limits);
  }
}

/** What is limited, since when and on what grounds. */
function showLimits(screen: Screen, limits: readonly Exhaustion[]): void {
  const rows = limits.map((one) => [
    safeLine(one.account, 30),
    safeLine(one.model ?? "all", 24),
    one.state === "open" ? one.state : screen.colours.yellow(one.state),
    one.reason,
    triedAgain(one),
    safeLine(`${one.evidence.source}: ${one.evidence.excerpt || one.evidence.rule}`, 60),
  ]);
  screen.table(["ACCOUNT", "MODEL", "STATE", "REASON", "TRIED AGAIN", "EVIDENCE"], rows);
}

function triedAgain({ state, recovery_at: at, probe_run: probe }: Exhaustion): string {
  if (probe !== null) return `by ${safeLine(probe)}`;
  if (state !== "closed") return state === "open" ? "" : "by the next run";
  return at === null ? "by a person" : ago(at);
}

/** The table of `accounts list`. */
export function showAccounts(screen: Screen, accounts: readonly Account[]): void {
  const rows = accounts.map((one) => [
    safeLine(one.name, 40),
    safeLine(one.provider ?? "", 20),
    accountState(one),
    safeLine(one.agents.join(", "), 60),
  ]);
  screen.table(["ACCOUNT", "PROVIDER", "STATE", "AGENTS"], rows);
}

/** An account's limits in a line. */
export function accountState({ exhaustions }: Account): string {
  const limited = exhaustions.filter(({ state }) => state !== "open");
  if (limited.length === 0) return "open";
  return limited
    .map((one) => {
      const what = one.model === null ? "" : `${safeLine(one.model, 24)} `;
      const when = triedAgain(one);
      return `${what}${one.state} (${one.reason}${when === "" ? "" : `, tried ${when}`})`;
    })
    .join("; ");
}

/** The record of `accounts show`. */
export function showAccount(screen: Screen, account: Account): void {
  screen.line(`${safeLine(account.name)} ${accountState(account)}`);
  if (account.agents.length > 0) screen.line(`agents ${safeLine(account.agents.join(", "))}`);
  if (account.exhaustions.length > 0) showLimits(screen, account.exhaustions);
}

/** The table of `runtimes list`. */
export function showRuntimes(screen: Screen, runtimes: readonly Runtime[]): void {
  const rows = runtimes.map((one) => [
    safeLine(one.name, 40),
    paintStatus(one.state, screen.colours),
    safeLine(one.version ?? "", 16),
    safeLine(one.runners.join(", "), 24),
    ago(one.last_heartbeat_at),
    safeLine(
      Object.entries(one.labels)
        .map(([name, value]) => `${name}:${value}`)
        .join(" "),
      40,
    ),
  ]);
  screen.table(["RUNTIME", "STATE", "VERSION", "RUNNERS", "HEARTBEAT", "LABELS"], rows);
}

/** A runtime in a line. */
export function runtimeLine(runtime: Runtime, c: Colours): string {
  return `${safeLine(runtime.name)} ${paintStatus(runtime.state, c)}`;
}

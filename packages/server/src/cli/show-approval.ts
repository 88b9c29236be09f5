// Approvals on the screen: the inbox as a table, one question whole, one line after an answer.
// Promises: what an agent wrote is made safe for a terminal; arguments are shown whole, since
// nobody can approve what they cannot see.
// Leaves to others: asking the server (commands/approvals.ts).

import type { Approval } from "@signalbox/sdk";
import { safeJson, safeLine } from "./safe-text.ts";
import type { Screen } from "./screen.ts";

/** The inbox. */
export function showApprovals(screen: Screen, approvals: readonly Approval[]): void {
  const rows = approvals.map((one) => [
    one.id,
    one.status,
    one.risk,
    safeLine(one.agent ?? "", 20),
    safeLine(one.action, 24),
    one.status === "pending" ? one.expires_at : (one.decided_at ?? ""),
    safeLine(one.title, 60),
  ]);
  const head = ["APPROVAL", "STATUS", "RISK", "AGENT", "ACTION", "EXPIRES / DECIDED", "TITLE"];
  screen.table(head, rows);
}

/** One question, whole. */
export function showApproval(screen: Screen, one: Approval): void {
  screen.line(approvalLine(one));
  const facts: [string, string | null][] = [
    ["run", `${one.run_id}, attempt ${one.attempt_number}`],
    ["agent", one.agent === null ? null : safeLine(one.agent)],
    ["title", safeLine(one.title)],
    ["action", safeLine(one.action)],
    ["risk", one.risk],
    ["key", safeLine(one.key)],
    ["asked", one.asked_at],
    ["expires", one.status === "pending" ? `${one.expires_at}, then ${one.on_expiry}` : null],
    ["held until", one.hold_until],
    ["comment", one.comment === null ? null : safeLine(one.comment)],
    ["executed", one.executed_at],
    ["asked sha256", one.asked_sha256],
    ["decided sha256", one.decided_sha256],
  ];
  for (const [name, value] of facts) {
    if (value !== null) screen.line(`${screen.colours.dim(name.padEnd(15))} ${value}`);
  }
  showArguments(screen, "arguments", one.arguments);
  if (one.edited_arguments !== null)
    showArguments(screen, "approved instead", one.edited_arguments);
}

function showArguments(screen: Screen, name: string, value: Approval["arguments"]): void {
  screen.line(screen.colours.dim(name));
  for (const line of safeJson(value, 2).split("\n")) screen.line(`  ${line}`);
}

/** One question in a line. */
export function approvalLine(one: Approval): string {
  const by = one.decided_by === null ? "" : ` by ${safeLine(one.decided_by)}`;
  return `${one.id} ${one.status}${by}: ${safeLine(one.title, 80)}`;
}

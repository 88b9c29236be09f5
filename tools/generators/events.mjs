// docs/reference/events.md, made from the lists of event types in
// packages/server/src/domain/event.ts.
// Promises: every type stands in it once; a type without a sentence below, or the reverse, fails.

import { built, row } from "./built.mjs";
import { reflow } from "./reflow.mjs";

export const path = "docs/reference/events.md";

/** What each type of the house says. */
const house = {
  "run.submitted": "The run is in the line.",
  "run.claimed": "A worker has it, under a new lease and token.",
  "run.started": "The worker has begun.",
  "run.waiting_tool": "The attempt waits for a tool.",
  "run.resumed": "It goes on.",
  "run.waiting_approval": "The attempt waits for a person and keeps its lease.",
  "run.suspended": "The run waits for a person, its attempt has ended.",
  "run.requeued": "Back in the line; `data` says why, what it cost and until when it waits.",
  "run.completed": "Done.",
  "run.failed": "Failed; a dead letter if `also` says so.",
  "run.cancelled": "Cancelled, killed, rejected, or ended by a budget: see `data.cause`.",
  "run.timeout": "Its deadline or max_duration passed.",
  "run.cancel_requested": "Somebody asked that it ends; the worker is told.",
  "run.lease_extended": "Its lease was extended after an outage of the house.",
  "run.dead_lettered": "It waits for a person to redrive or discard it.",
  "run.redriven": "A new run was made from it.",
  "run.discarded": "A person has put it away.",
  "attempt.spawning": "The attempt was handed out.",
  "attempt.running": "The attempt has begun.",
  "attempt.completed": "The attempt ended by completing.",
  "attempt.failed": "The attempt ended by failing.",
  "attempt.killed": "The attempt was ended from outside: cancel, kill, deadline, budget.",
  "attempt.lost": "Its lease ran out.",
  "attempt.released": "It was given back.",
  "attempt.terminated": "Its processes are gone, says the worker.",
  "approval.requested": "A question for a person.",
  "approval.approved": "Answered yes.",
  "approval.rejected": "Answered no.",
  "approval.expired": "Nobody answered in time; `data.on_expiry` says what follows.",
  "approval.cancelled": "The run went on, or ended, without an answer.",
  "approval.executed": "The worker did what was decided.",
  "approval.mismatch": "A worker reported another action than was decided: it was refused.",
  "usage.recorded": "Measured consumption.",
  "allowance.created": "A limit was set on what may be consumed.",
  "allowance.changed": "Its limit, mode or default reserve was changed.",
  "allowance.removed": "It counts no more.",
  "quota.warning": "An allowance is used to 80 %.",
  "quota.exceeded": "An allowance is used up.",
  "dispatch.no_agent": "A due run waits because no agent can take it.",
  "dispatch.quota": "A due run waits because an allowance is used up.",
  "agent.registered": "An agent is known.",
  "agent.status_changed": "An agent's status changed.",
  "agent.paused": "A person paused an agent.",
  "agent.resumed": "A person resumed it.",
  "account.registered": "An account was described, or what is known of it was changed.",
  "account.exhausted": "A provider account hit a limit.",
  "account.probing": "One run tries it again.",
  "account.recovered": "It works again.",
  "runtime.registered": "A worker process registered, or came back.",
  "runtime.draining": "It takes no new work.",
  "runtime.stale": "It was not heard from in time.",
  "runtime.offline": "It left.",
  "slot.created": "A time was planned in an agent's calendar.",
  "slot.due": "A planned time has come.",
  "slot.started": "It began.",
  "slot.deferred": "It was put off.",
  "slot.finished": "It is over.",
  "slot.aborted": "It was broken off.",
  "slot.skipped": "It was left out.",
  "queue.paused": "A person paused a queue.",
  "queue.resumed": "A person resumed it.",
  "project.created": "The project was made.",
  "project.stopped": "A person stopped everything in the project.",
  "project.resumed": "A person lifted the stop.",
  "project.changed": "How long the project keeps what has ended was changed.",
  "key.created": "A key was made (its secret is nowhere).",
  "key.revoked": "A key was revoked.",
  "key.rotated": "A key was made in place of another, which lives on for `data.overlap_s`.",
  "login.created":
    "A key made a link that opens one session in a browser (its code is nowhere here).",
  "session.opened": "Somebody logged in with a link that a key made.",
  "session.ended": "Somebody logged out, or the session was ended.",
  "access.denied":
    "A key tried what it may not do; `data.count` says how often since the event before.",
  "webhook.created": "A webhook was made (of its URL only the host is told).",
  "webhook.changed": "Where a webhook points or what it wants was changed.",
  "webhook.rotated": "A webhook has a new secret (which is nowhere here).",
  "webhook.enabled": "A webhook sends again.",
  "webhook.disabled": "A webhook sends no more: by a person, or after a day of failure.",
  "webhook.removed": "A webhook was ended.",
};

const runner = {
  "message.delta": "A piece of what the agent says.",
  "message.completed": "A whole message.",
  "tool.call.started": "The agent calls a tool.",
  "tool.call.completed": "The tool answered.",
  "state.updated": "The agent's own state changed.",
  "action.requested": "The agent wants something done.",
  "log.line": "A line of output; may come up to ten minutes after the end.",
};

/** What systems before this one called it, and what it is here. */
const earlier = [
  ["task_created, task_queued, run.created", "run.submitted"],
  ["task_dispatched, task_assigned, run.leased", "run.claimed"],
  ["agent.spawned, agent_started", "attempt.spawning"],
  ["agent.running, task_started", "run.started"],
  ["agent.completed, task_completed, run.finalized", "run.completed"],
  ["agent.failed", "attempt.failed"],
  ["task_failed", "run.failed"],
  ["agent.killed, agent.terminated", "attempt.killed"],
  ["task_retry, task_retried, run.released", "run.requeued"],
  ["lease_expired, run.reaped", "attempt.lost"],
  ["task_dead_lettered, dead_letter", "run.dead_lettered"],
  ["task_cancelled, run_cancelled", "run.cancelled"],
  ["cancel_requested", "run.cancel_requested"],
  ["run.timed_out, task_timeout", "run.timeout"],
  ["no_agent_available", "dispatch.no_agent"],
  ["quota_warning", "quota.warning"],
  ["quota_exceeded", "quota.exceeded"],
  ["usage_recorded, usage_reported", "usage.recorded"],
  ["agent_status_changed, status_update", "agent.status_changed"],
  ["rate_limited, agent_exhausted", "account.exhausted"],
  ["runtime_heartbeat_missed", "runtime.stale"],
];

function complete(types, words, what) {
  const missing = types.filter((type) => words[type] === undefined);
  const unknown = Object.keys(words).filter((type) => !types.includes(type));
  if (missing.length + unknown.length === 0) return;
  throw new Error(`${what}: nothing said of ${missing.join()}; not a type: ${unknown.join()}`);
}

/** The page as Markdown. */
export async function render(root) {
  const event = await built(root, "domain/event.js");
  const { limits } = await built(root, "domain/limits.js");
  complete(event.houseEventTypes, house, "events of the house");
  complete(event.runnerEventTypes, runner, "events of runners");
  const lost = earlier.filter(([, type]) => house[type] === undefined);
  if (lost.length > 0) throw new Error(`not a type of the house: ${lost.join(" ")}`);
  return reflow([
    "# Events",
    "",
    "Generated by `npm run generate` from `packages/server/src/domain/event.ts`. An event is an",
    "immutable fact, written in the same transaction as the change it tells of. `seq` numbers the",
    "events of one run 1, 2, 3 … without gaps; `feed` those of a project, in the order of",
    "commit: a",
    "follower's cursor is one number that can never skip. One row may carry more than one fact:",
    "`type`",
    "is the run's, `also` names the attempt's (and `run.dead_lettered`).",
    "",
    "## Written by the house",
    "",
    "All these names are reserved; those of parts to come (dead letters) are",
    "not written yet.",
    "",
    row("type", "state afterwards", "says"),
    row("---", "---", "---"),
    ...event.houseEventTypes.map((type) =>
      row(`\`${type}\``, event.stateAfter[type] ?? "", house[type]),
    ),
    "",
    "## Written by runners",
    "",
    "Workers may write these, and any type of their own that begins with `x.` (lower-case words of",
    "letters, digits, `_` and `-`, up to six, joined by dots). All others are refused with",
    `\`reserved_event_type\`. Data of one event: at most ${limits.eventDataBytes / 1024} KiB;`,
    `the sender`,
    `cuts fields and names them in \`truncated\`. At most ${limits.eventsPerBatch} events in a`,
    `batch.`,
    "",
    row("type", "says"),
    row("---", "---"),
    ...event.runnerEventTypes.map((type) => row(`\`${type}\``, runner[type])),
    "",
    `After the end, for ${limits.lateAppendMs / 60_000} minutes and without changing any state:`,
    `${event.lateEventTypes.map((type) => `\`${type}\``).join(", ")}, marked \`late\`.`,
    "",
    "## Coming from another system",
    "",
    "Names that other agent systems use for the same facts:",
    "",
    row("there", "here"),
    row("---", "---"),
    ...earlier.map(([names, type]) =>
      row(
        names
          .split(", ")
          .map((name) => `\`${name}\``)
          .join(", "),
        `\`${type}\``,
      ),
    ),
    "",
  ]);
}

// Metrics of what this server has committed: runs and attempts on their way.
// Promises: labels are words of the law (states, outcomes, causes, reasons), so series are fixed.
// Leaves to others: counting (services/flow.ts), the text (metrics.ts).

import type { Flow } from "../services/flow.ts";
import { byWord, MS_PER_SECOND, single } from "./metric.ts";
import type { MetricOf } from "./metric.ts";

const seconds = { type: "histogram", per: MS_PER_SECOND } as const;
const counter = { type: "counter" } as const;

/** Of runs and attempts that passed through one server. */
export const flowMetrics: readonly MetricOf<Flow>[] = [
  {
    ...counter,
    name: "signalbox_runs_submitted_total",
    help: "Runs stored.",
    read: (flow) => single(flow.submitted),
  },
  {
    ...counter,
    name: "signalbox_runs_claimed_total",
    help: "Claims: runs handed to a worker, each time anew.",
    read: (flow) => single(flow.claimed),
  },
  {
    ...counter,
    name: "signalbox_runs_requeued_total",
    help: "Attempts after which the run went back to the line.",
    read: (flow) => single(flow.requeued),
  },
  {
    ...counter,
    name: "signalbox_runs_ended_total",
    help: "Runs that ended, by end_cause.",
    labels: ["cause"],
    read: (flow) => byWord("cause", flow.runEnds),
  },
  {
    ...counter,
    name: "signalbox_runs_dead_lettered_total",
    help: "Failed runs that wait for a person.",
    read: (flow) => single(flow.deadLettered),
  },
  {
    ...seconds,
    name: "signalbox_run_claim_wait_seconds",
    help: "From submit, or not_before if later, to the first claim of a run.",
    read: (flow) => single(flow.claimWait),
  },
  {
    ...seconds,
    name: "signalbox_attempt_start_wait_seconds",
    help: "From a claim to the start that its worker reported.",
    read: (flow) => single(flow.startWait),
  },
  {
    ...seconds,
    name: "signalbox_run_seconds",
    help: "From submit to the end of a run, by the state it ended in.",
    labels: ["state"],
    read: (flow) => byWord("state", flow.runLength),
  },
  {
    ...seconds,
    name: "signalbox_attempt_seconds",
    help: "From claim to end of an attempt, by outcome; its _count counts attempts that ended.",
    labels: ["outcome"],
    read: (flow) => byWord("outcome", flow.attemptLength),
  },
  {
    ...counter,
    name: "signalbox_attempts_ended_total",
    help: "Attempts that ended, by cause.",
    labels: ["cause"],
    read: (flow) => byWord("cause", flow.attemptCauses),
  },
  {
    ...counter,
    name: "signalbox_leases_expired_total",
    help: "Leases taken back because no heartbeat came in time, outages of the house included.",
    read: ({ attemptCauses }) => single(attemptCauses.lease_expired + attemptCauses.outage),
  },
  {
    ...counter,
    name: "signalbox_exhaustions_total",
    help: "Limits of accounts that were met, by reason.",
    labels: ["reason"],
    read: (flow) => byWord("reason", flow.exhaustions),
  },
  {
    ...counter,
    name: "signalbox_run_events_total",
    help: "Events written to the register about runs.",
    read: (flow) => single(flow.events),
  },
];

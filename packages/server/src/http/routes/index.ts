// All routes of the server, in the order of the documentation.
// Promises: a route that is not listed here does not exist.
// Leaves to others: each route (the files beside this one), serving them (`../register.ts`).

import type { Metric } from "../../engine/metrics/metric.ts";
import { dashboardRoutes } from "../dashboard.ts";
import type { Dashboard } from "../dashboard.ts";
import type { Route } from "../route.ts";
import { accountRoutes } from "./accounts.ts";
import { agentRoutes } from "./agents.ts";
import { allowanceRoutes } from "./allowances.ts";
import { deadLetterRoutes } from "./dead-letters.ts";
import { auditRoutes } from "./audit.ts";
import { approvalRoutes } from "./approvals.ts";
import { eventRoutes } from "./events.ts";
import { keyRoutes } from "./keys.ts";
import { machineRoutes, statusRoutes } from "./machine.ts";
import { projectRoutes } from "./projects.ts";
import { queueRoutes } from "./queues.ts";
import { runApprovalRoutes } from "./run-approvals.ts";
import { runControlRoutes } from "./run-control.ts";
import { runEventRoutes } from "./run-events.ts";
import { runWorkerRoutes } from "./run-worker.ts";
import { runRoutes } from "./runs.ts";
import { runtimeRoutes } from "./runtimes.ts";
import { sessionRoutes } from "./sessions.ts";
import { slotRoutes } from "./slots.ts";
import { webhookRoutes } from "./webhooks.ts";
import { workerRoutes } from "./worker.ts";

/** What the doors of one server have of their own. */
type Own = {
  readonly metrics?: () => readonly Metric[];
  readonly dashboard?: Dashboard | null;
};

export function routesOf(version: string, describe: () => object, own: Own = {}): Route[] {
  const { metrics = () => [], dashboard = null } = own;
  return [
    ...runRoutes,
    ...runControlRoutes,
    ...deadLetterRoutes,
    ...runEventRoutes,
    ...workerRoutes,
    ...runWorkerRoutes,
    ...runApprovalRoutes,
    ...approvalRoutes,
    ...runtimeRoutes,
    ...agentRoutes,
    ...accountRoutes,
    ...allowanceRoutes,
    ...slotRoutes,
    ...queueRoutes,
    ...projectRoutes,
    ...keyRoutes,
    ...sessionRoutes,
    ...auditRoutes,
    ...eventRoutes,
    ...webhookRoutes,
    ...machineRoutes(describe, metrics),
    ...(dashboard === null ? statusRoutes(version) : dashboardRoutes(dashboard)),
  ];
}

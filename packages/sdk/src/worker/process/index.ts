// The process runtime: any command as an agent.
// Promises: `processHandler` is a handler for `Worker`, `supervisorKeeper` its keeper; together
// they start, watch and end the processes of attempts. Nothing happens at import.
// Leaves to others: claiming, leases, events and reports (the worker around it).

export { ChildFailed, PROCESS_LEASE, processHandler } from "./handler.ts";
export type { ProcessAttempt, ProcessOptions } from "./handler.ts";
export { CLEAN_NAMES, OWN_SECRETS } from "./environment.ts";
export type { EnvironmentOptions } from "./environment.ts";
export { isRetryableExit } from "./exit-policy.ts";
export type { ChildExit } from "./exit-policy.ts";
export type { LimitReading, PrintedNotice, ReadLimit } from "./limit-notice.ts";
export type { StreamName } from "./log-pump.ts";
export { sweepOrphans } from "./orphans.ts";
export type { SweepResult } from "./orphans.ts";
export { supervisorKeeper } from "./supervisor.ts";
export type { SupervisorKeeper, SupervisorOptions, TreeSupervisor } from "./supervisor.ts";
export { killTree } from "./tree.ts";
export type { KillOptions, KillResult, Tree } from "./tree.ts";

// The wire: every JSON shape that crosses HTTP, in one place, as types.
// Promises: field names are exactly those of the JSON (snake_case); instants are ISO 8601 UTC with
// milliseconds; durations are integers named `…_ms` or `…_s`; money is integer micros (USD · 10⁻⁶);
// big integers (`seq`, `feed`) are strings. Server schemas are checked against these types.
// Leaves to others: validation (server, `http/schemas`), behaviour (`client.ts`, `worker/`).

export type * from "./wire/runs.ts";
export type * from "./wire/worker.ts";
export type * from "./wire/operators.ts";
export type * from "./wire/fleet.ts";
export type * from "./wire/dead-letters.ts";
export type * from "./wire/access.ts";
export type * from "./wire/approvals.ts";
export type * from "./wire/health.ts";
export type * from "./wire/webhooks.ts";

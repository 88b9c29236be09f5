// How a command tells of its provider's limit, for the help of those that start commands.
// Promises: says what the SDK's process handler does, in one place for all of them.
// Leaves to others: doing it (`@signalbox/sdk/worker`), what follows for the run (each command).

/** To be followed by what becomes of the run. */
export const limitProtocol =
  "A limit of its provider is found in the last lines of a command that fails (not of one that " +
  "exits with 0). One that knows better writes a JSON object to $SIGNALBOX_LIMIT before: any of " +
  "reason (rate_limit, quota, billing or overloaded), recovery_at (an instant) or " +
  "recovery_in_ms, scope (account or model), model, and status, headers and message of the answer.";

// The logger every floor is handed: fields first, then one sentence. Same shape as pino's.
// Promises: an interface and a logger that says nothing; no output of its own.
// Leaves to others: format, level and destination (the composition root in `cli/`).

/** What a line is about, as data: ids, counts, durations in ms. Never a secret, never an input. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line. `message` is a plain sentence; everything variable goes into `fields`. */
export type LogLine = (fields: LogFields, message: string) => void;

/** debug: for us. info: for the operator's diary. warn: look at it today. error: look now. */
export type Logger = {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  /** False: debug lines go nowhere, so what is told at every request need not be put together. */
  readonly debugging?: boolean;
};

const nothing: LogLine = () => {};

/** Says nothing. For tests and for embedding without logs. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  debugging: false,
};

// What the parser is given, and how a stranger's value becomes it.
// Promises: any value is read without throwing, getters that throw and arrays for strings included;
// names of headers come out in lower case, at most 200 of them with at most 1,000 characters each;
// an instant that cannot be read is null.
// Leaves to others: what the words mean.

/** What is known of an answer or an output. All fields but `now` may be missing. */
export type LimitInput = {
  /** The present, ISO 8601. Without it only absolute instants can be read. */
  readonly now: string;
  /** When the text was written, if earlier than `now`: waits and clock times count from it. */
  readonly observed_at?: string | null;
  /** IANA zone of the machine that wrote the text. Absent: UTC. */
  readonly local_zone?: string | null;
  /** HTTP status; null when not known, as for most output of a command line. */
  readonly status?: number | null;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | null;
  readonly message?: string | null;
  readonly provider?: string | null;
};

/** The input, read. */
export type Notice = {
  /** Milliseconds; waits and clock times count from here. */
  readonly base: number | null;
  readonly localZone: string | null;
  readonly status: number | null;
  readonly headers: ReadonlyMap<string, string>;
  readonly message: string;
  readonly provider: string;
};

const MOST_HEADERS = 200;
const LONGEST_HEADER = 1000;

/**
 * Reads the input, whatever it is.
 *
 * @example
 * readNotice({ now: "2026-11-01T06:00:00Z", status: "429" }).status; // 429
 */
export function readNotice(input: unknown): Notice {
  try {
    const given = (input ?? {}) as { readonly [field: string]: unknown };
    const now = instantOf(given["now"]);
    const observed = instantOf(given["observed_at"]);
    const message = textOf(given["message"]);
    const headers = given["headers"];
    return {
      // A text from the future is a clock that is wrong: the present counts.
      base: observed === null ? now : Math.min(observed, now ?? observed),
      localZone: wordOf(given["local_zone"]),
      status: statusOf(given["status"]),
      headers: typeof headers === "string" ? new Map() : headersOf(headers),
      message: typeof headers === "string" ? `${headers}\n${message}` : message,
      provider: (wordOf(given["provider"]) ?? "").toLowerCase(),
    };
  } catch {
    // A getter, a proxy or a cycle of the stranger's own: nothing can be known of it.
    const headers: ReadonlyMap<string, string> = new Map();
    return { base: null, localZone: null, status: null, headers, message: "", provider: "" };
  }
}

function instantOf(value: unknown): number | null {
  const at =
    typeof value === "string"
      ? Date.parse(value)
      : value instanceof Date
        ? value.getTime()
        : typeof value === "number"
          ? value
          : Number.NaN;
  return Number.isFinite(at) && Math.abs(at) < 8e15 ? at : null;
}

function wordOf(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" ? value.trim().slice(0, 100) : null;
}

function statusOf(value: unknown): number | null {
  const status = typeof value === "string" && /^\d{3}$/.test(value.trim()) ? Number(value) : value;
  return Number.isInteger(status) && Number(status) >= 100 && Number(status) <= 999
    ? Number(status)
    : null;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return typeof value === "object" && value !== null ? (JSON.stringify(value) ?? "") : "";
}

function headersOf(value: unknown): Map<string, string> {
  const headers = new Map<string, string>();
  if (typeof value !== "object" || value === null) return headers;
  const iterable = typeof (value as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  const entries = iterable === "function" ? (value as Iterable<unknown>) : Object.entries(value);
  let seen = 0;
  for (const entry of entries) {
    seen += 1;
    if (seen > MOST_HEADERS) break;
    if (!Array.isArray(entry)) continue;
    const [name, content] = entry as unknown[];
    const text = Array.isArray(content) ? (content as unknown[]).map(scalar).join(", ") : content;
    const plain = scalar(text).trim().slice(0, LONGEST_HEADER);
    if (typeof name === "string" && plain !== "") {
      headers.set(name.trim().toLowerCase().slice(0, 100), plain);
    }
  }
  return headers;
}

function scalar(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
}

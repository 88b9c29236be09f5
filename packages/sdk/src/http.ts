// HTTP: one request, with a deadline, an answer as JSON and every refusal as a `SignalboxError`.
// Promises: no call waits for ever; the caller's abort is thrown as the caller's reason; the key
// lives in a private field and is sent in the Authorization header alone. With a browser's session
// no secret is known here: the browser sends its cookie, and writes carry the token of the session.
// Leaves to others: keep-alive (fetch), when to try again (`retry.ts`), streams of events
// (`event-stream.ts`, which uses `open`).

import { startDeadline } from "./deadline.ts";
import type { Deadline } from "./deadline.ts";
import {
  ConnectionError,
  errorFromProblem,
  errorOf,
  isSignalboxError,
  TimeoutError,
} from "./errors.ts";
import type { SignalboxError } from "./errors.ts";
import { withRetries } from "./retry.ts";
import type { Problem } from "./wire.ts";

export type Connection = { url: string; key: string; project?: string };

/** Who asks: a key, or the session of the browser in which this runs. */
type Who = { key: string; session?: never } | { key?: never; session: true };

export type HttpOptions = Omit<Connection, "key"> &
  Who & {
    /** Default: the global fetch. */
    fetch?: typeof globalThis.fetch;
    /** Deadline of one try, in milliseconds. Default 30,000. */
    timeoutMs?: number;
  };

/** Values that are undefined or null are left out; an array is sent as the parameter repeated. */
export type Query = {
  readonly [name: string]:
    | string
    | number
    | boolean
    | null
    | undefined
    | readonly (string | number)[];
};

export type RequestOptions = {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** A body that is JSON already. */
  json?: string;
  headers?: { [name: string]: string };
  /** Deadline of one try, in milliseconds. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Whether repeating is safe. Default: true for GET and PUT, false otherwise. */
  retry?: boolean;
  /** The route is for anybody: no key goes with it, and no token of a session. */
  open?: boolean;
};

export type Answer<T> = { body: T; status: number; headers: Headers };

type Method = "GET" | "POST" | "PUT";

const DEFAULT_TIMEOUT_MS = 30_000;

/** Sends requests to one server with one key, or with the session of this browser. */
export class Http {
  readonly #base: URL;
  /** Null: the browser's session. */
  readonly #key: string | null;
  readonly #project: string | undefined;
  readonly #fetch: typeof globalThis.fetch;
  readonly #timeoutMs: number;
  /** What writes of a session carry, once it was asked for. */
  #token: Promise<string> | null = null;

  constructor(options: HttpOptions) {
    this.#base = new URL(options.url.endsWith("/") ? options.url : `${options.url}/`);
    const isNobody = options.session !== true && (options.key ?? "") === "";
    if (isNobody) throw new TypeError("Signalbox: `key` is empty");
    this.#key = options.key ?? null;
    this.#project = options.project;
    // Called bare: the fetch of browsers refuses to be anybody's method.
    const { fetch = globalThis.fetch } = options;
    this.#fetch = (input, init) => fetch(input, init);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /**
   * What another connection to the same server needs. Contains the key: never log it. The URL ends
   * without a slash, so that programs can put a path behind it. Throws a TypeError for a client
   * that asks by the session of a browser.
   */
  connection(): Connection {
    if (this.#key === null) throw new TypeError("Signalbox: this needs a client with a `key`");
    const project = this.#project === undefined ? {} : { project: this.#project };
    return { url: this.#base.href.replace(/\/$/, ""), key: this.#key, ...project };
  }

  /** GET, tried again when there is no answer, on 429 and on 503. */
  async get<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.send<T>("GET", path, options)).body;
  }

  /** POST, not repeated unless `retry` says that it is safe. */
  async post<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.send<T>("POST", path, options)).body;
  }

  /** PUT, repeated like GET. */
  async put<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.send<T>("PUT", path, options)).body;
  }

  /** One call with status and headers of the answer. */
  send<T>(method: Method, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const once = (): Promise<Answer<T>> => this.#allowed<T>(method, path, options);
    return (options.retry ?? method !== "POST") ? withRetries(once, options.signal) : once();
  }

  /**
   * GET of a stream. The deadline covers the answer's headers; whoever reads the body restarts it
   * per read and must call `deadline.clear()`. Not repeated.
   */
  async open(
    path: string,
    options: RequestOptions,
  ): Promise<{ response: Response; deadline: Deadline }> {
    const deadline = startDeadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    try {
      const response = await this.#fetch(this.#url(path, options.query), {
        ...this.#cookie(),
        headers: this.#headers(options),
        signal: deadline.signal,
      });
      if (!response.ok) throw await refusal(response);
      return { response, deadline };
    } catch (error) {
      deadline.clear();
      throw this.#fault(error, { deadline, options, path });
    }
  }

  /** With the token that a session's writes need; asked for again when another login changed it. */
  async #allowed<T>(method: Method, path: string, options: RequestOptions): Promise<Answer<T>> {
    if (this.#key !== null || method === "GET" || options.open === true) {
      return this.#once<T>(method, path, options);
    }
    const isKnown = this.#token !== null;
    const send = async (): Promise<Answer<T>> => {
      const headers = { ...options.headers, "signalbox-csrf": await this.#csrfToken() };
      return this.#once<T>(method, path, { ...options, headers });
    };
    try {
      return await send();
    } catch (error) {
      if (!isKnown || !isSignalboxError(error, "forbidden_origin")) throw error;
      this.#token = null;
      return send();
    }
  }

  async #csrfToken(): Promise<string> {
    this.#token ??= this.get<{ csrf_token: string }>("/v1/session").then((own) => own.csrf_token);
    try {
      return await this.#token;
    } catch (error) {
      this.#token = null;
      throw error;
    }
  }

  #cookie(): { credentials?: "same-origin" } {
    return this.#key === null ? { credentials: "same-origin" } : {};
  }

  async #once<T>(method: Method, path: string, options: RequestOptions): Promise<Answer<T>> {
    const deadline = startDeadline(options.timeoutMs ?? this.#timeoutMs, options.signal);
    const body = options.json ?? (options.body === undefined ? null : JSON.stringify(options.body));
    const headers = this.#headers(options);
    if (body !== null) headers["content-type"] = "application/json";
    try {
      const url = this.#url(path, options.query);
      const how = { method, headers, body, signal: deadline.signal, ...this.#cookie() };
      const response = await this.#fetch(url, how);
      if (!response.ok) throw await refusal(response);
      const text = await response.text();
      const value = (text === "" ? undefined : JSON.parse(text)) as T;
      return { body: value, status: response.status, headers: response.headers };
    } catch (error) {
      throw this.#fault(error, { deadline, options, path });
    } finally {
      deadline.clear();
    }
  }

  #url(path: string, query: Query = {}): URL {
    const url = new URL(path.replace(/^\//, ""), this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined || value === null) continue;
      for (const one of Array.isArray(value) ? value : [value]) {
        url.searchParams.append(name, String(one));
      }
    }
    return url;
  }

  #headers(options: RequestOptions): { [name: string]: string } {
    const isOpen = options.open === true || this.#key === null;
    return {
      ...(isOpen ? {} : { authorization: `Bearer ${this.#key}` }),
      accept: "application/json",
      ...(this.#project === undefined ? {} : { "signalbox-project": this.#project }),
      ...options.headers,
    };
  }

  /** What the caller gets for something thrown on the way. */
  #fault(
    error: unknown,
    call: { deadline: Deadline; options: RequestOptions; path: string },
  ): unknown {
    if (isSignalboxError(error)) return error;
    if (call.options.signal?.aborted && !call.deadline.expired()) return call.options.signal.reason;
    const where = `${this.#base.origin}/${call.path.replace(/^\//, "")}`;
    if (call.deadline.expired()) {
      const message = `request_timeout: no answer in time from ${where}`;
      return new TimeoutError({ message, code: "request_timeout", status: 0, retryable: true });
    }
    if (error instanceof SyntaxError) {
      const message = `bad_answer: ${where} did not answer with JSON`;
      return errorOf({ message, code: "bad_answer", status: 0, retryable: false, cause: error });
    }
    const message = `connection_failed: cannot reach ${where} (${reasonOf(error)})`;
    const facts = { message, code: "connection_failed", status: 0, retryable: true, cause: error };
    return new ConnectionError(facts);
  }
}

/** The error of an answer that is not 2xx: a problem document, or what a proxy said instead. */
async function refusal(response: Response): Promise<SignalboxError> {
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"));
  const text = await response.text();
  const problem = parseProblem(text);
  if (problem !== null) return errorFromProblem(problem, retryAfterMs);
  const { status } = response;
  return errorOf({
    message: `http_${status}: ${text.slice(0, 200).trim() || response.statusText}`,
    code: `http_${status}`,
    status,
    retryable: status === 429 || status === 502 || status === 503 || status === 504,
    requestId: response.headers.get("x-request-id"),
    retryAfterMs,
  });
}

function parseProblem(text: string): Problem | null {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null;
    const isProblem = typeof value?.code === "string" && typeof value.status === "number";
    return isProblem ? (value as Problem) : null;
  } catch {
    return null;
  }
}

/** Retry-After in milliseconds: whole seconds, or an HTTP date. */
function parseRetryAfter(value: string | null): number | null {
  if (value === null) return null;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, at - Date.now());
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}

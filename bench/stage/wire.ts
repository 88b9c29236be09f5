// A client as plain as curl: one request, its status and its JSON, nothing repeated.
// Promises: a refusal is an answer, not an exception; no answer in time is an answer too
// (status 0); each call can be written to the operations log with its outcome.
// Leaves to others: retries, waiting, meaning. The SDK does that, and is not what is judged here.

import { wallMs } from "./operations.ts";
import type { OperationsLog } from "./operations.ts";

/** What came back. `status` 0: nobody knows whether the request took effect. */
export type Reply<T = Record<string, unknown>> = { status: number; body: T; code: string | null };

export type Call = {
  body?: unknown;
  headers?: Record<string, string>;
  /** Another key than the client's own, for example an attempt's. */
  key?: string;
  timeoutMs?: number;
};

export type WireOptions = {
  url: string;
  key: string;
  /** Name in the operations log. */
  name?: string;
  log?: OperationsLog;
};

const LONGEST_MS = 35_000;

/** One client of one server. */
export class Wire {
  readonly options: WireOptions;

  constructor(options: WireOptions) {
    this.options = options;
  }

  /** Sends one request, `line` being method and path: `POST /v1/runs`. Never throws. */
  async ask<T = Record<string, unknown>>(line: string, call: Call = {}): Promise<Reply<T>> {
    const { url, key, log, name = "client" } = this.options;
    const [method = "GET", path = "/"] = line.split(" ");
    const invokedAt = wallMs();
    const reply = await this.#send<T>(`${url}${path}`, method, { key, ...call });
    log?.add({
      process: name,
      op: line,
      args: call.body ?? null,
      invoked_at: invokedAt,
      returned_at: wallMs(),
      result: resultOf(reply.status),
      value: reply.body,
    });
    return reply;
  }

  /** Like `ask`, for what must succeed: throws with the server's words otherwise. */
  async must<T = Record<string, unknown>>(line: string, call: Call = {}): Promise<T> {
    const { status, body } = await this.ask<T>(line, call);
    if (status >= 200 && status < 300) return body;
    throw new Error(`${line} answered ${status}: ${JSON.stringify(body).slice(0, 500)}`);
  }

  async #send<T>(url: string, method: string, call: Call): Promise<Reply<T>> {
    const headers: Record<string, string> = { authorization: `Bearer ${call.key}` };
    if (call.body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = {
      method,
      headers: { ...headers, ...call.headers },
      signal: AbortSignal.timeout(call.timeoutMs ?? LONGEST_MS),
    };
    if (call.body !== undefined) init.body = JSON.stringify(call.body);
    try {
      const response = await fetch(url, init);
      const text = await response.text();
      const body = (text === "" ? {} : JSON.parse(text)) as T & { code?: unknown };
      const code = typeof body.code === "string" ? body.code : null;
      return { status: response.status, body, code };
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      return { status: 0, body: { error: words } as T, code: null };
    }
  }
}

function resultOf(status: number): "ok" | "fail" | "info" {
  if (status >= 200 && status < 300) return "ok";
  return status === 0 || status >= 500 ? "info" : "fail";
}

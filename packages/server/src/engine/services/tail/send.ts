// One POST to a stranger's server, and nothing of ours at risk for it.
// Promises: the name is resolved once, every address it has is checked, and the connection goes to
// one of those addresses and no other, whatever the name means by then; no redirect is followed, no
// proxy of the environment is used, 10 s for all of it, at most 4 KiB of the answer is read (F-112,
// F-115). Never rejects: every failure is an outcome.
// Leaves to others: what is sent (message.ts), what follows from the outcome (`domain/webhook`).

import { lookup as lookupName } from "node:dns";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { addressKind } from "../../../domain/webhook/address.ts";
import { isRefusal } from "../../../domain/refusal.ts";
import { isAllowed, targetOf } from "../../../domain/webhook/target.ts";
import type { Target } from "../../../domain/webhook/target.ts";
import type { TryOutcome } from "../../../domain/webhook/tries.ts";
import type { Clock } from "../../../std/clock.ts";
import { toStorable } from "../../../std/text.ts";

export type Address = { readonly address: string; readonly family: number };

/** All addresses of a name. Rejects when it has none. */
export type Resolve = (host: string) => Promise<readonly Address[]>;

export type Message = {
  readonly url: string;
  readonly allowPrivate: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type SendTools = {
  readonly clock: Clock;
  readonly resolve?: Resolve;
  readonly signal?: AbortSignal;
  /** Default 10 s. */
  readonly timeoutMs?: number;
};

export const SEND_MS = 10_000;
const MOST_READ = 4096;
const MOST_HEADERS = 16_384;

const resolveByName: Resolve = (host) =>
  new Promise((resolve, reject) => {
    lookupName(host, { all: true, verbatim: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });

/** Posts the message and tells what came of it. */
export async function send(message: Message, tools: SendTools): Promise<TryOutcome> {
  const { clock, resolve = resolveByName, timeoutMs = SEND_MS } = tools;
  const began = clock.mono();
  const tookMs = (): number => Math.round(clock.mono() - began);
  const target = targetOf(message.url, message.allowPrivate);
  if (isRefusal(target)) return failure(target.detail, tookMs());
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(new Error("the server is stopping"));
  tools.signal?.addEventListener("abort", onAbort, { once: true });
  const cancel = clock.setDeadline(timeoutMs, () =>
    ended.abort(new Error(`no complete answer within ${timeoutMs} ms`)),
  );
  try {
    if (tools.signal?.aborted === true) onAbort();
    const addresses = await vetted(target, message.allowPrivate, { resolve, signal: ended.signal });
    const answer = post(target, addresses, { message, signal: ended.signal });
    // Whatever becomes of the request: at the end of its time there is an outcome.
    return { ...(await until(answer, ended.signal)), tookMs: tookMs() };
  } catch (error) {
    const cause = ended.signal.aborted ? (ended.signal.reason as Error) : (error as Error);
    return failure(wordsOf(cause), tookMs());
  } finally {
    cancel();
    tools.signal?.removeEventListener("abort", onAbort);
  }
}

function failure(error: string, tookMs: number): TryOutcome {
  const text = toStorable(error.slice(0, 500)).value;
  return { ok: false, status: null, tookMs, error: text, excerpt: null, retryAfterMs: null };
}

/** What went wrong, without addresses that a name of ours may have inside. */
function wordsOf(error: Error & { code?: unknown }): string {
  return typeof error.code === "string" ? `${error.code}: ${error.message}` : error.message;
}

/** The addresses of the target, all of them checked: one that may not be spoils them all. */
async function vetted(
  { host, literal }: Target,
  allowPrivate: boolean,
  { resolve, signal }: { resolve: Resolve; signal: AbortSignal },
): Promise<readonly Address[]> {
  const family = host.includes(":") ? 6 : 4;
  const found = literal ? [{ address: host, family }] : await until(resolve(host), signal);
  if (found.length === 0) throw new Error(`${host} has no address`);
  for (const { address } of found) {
    if (!isAllowed(addressKind(address), allowPrivate)) {
      throw new Error(`${host} has an address that is not public; nothing was sent`);
    }
  }
  return found;
}

/** The promise, or the reason of the abort: what says nothing is not waited for. */
function until<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort))
      .catch(() => {});
  });
}

type Answer = Omit<TryOutcome, "tookMs">;

function post(
  { url, host, literal }: Target,
  addresses: readonly Address[],
  { message, signal }: { message: Message; signal: AbortSignal },
): Promise<Answer> {
  const [first] = addresses as [Address];
  // The only lookup of the connection answers with what was checked.
  const lookup: LookupFunction = (_name, options, done) => {
    if (options.all === true)
      done(
        null,
        addresses.map((one) => ({ ...one })),
      );
    else done(null, first.address, first.family);
  };
  const options: RequestOptions & { servername?: string } = {
    method: "POST",
    hostname: host,
    port: url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { ...message.headers, "content-length": String(Buffer.byteLength(message.body)) },
    agent: false, // a connection of its own, made by the checked lookup, and no proxy
    lookup,
    maxHeaderSize: MOST_HEADERS,
    signal,
    ...(literal ? {} : { servername: host }),
  };
  const isPlain = url.protocol === "http:";
  return new Promise((resolve, reject) => {
    const request = isPlain ? plainRequest(options) : tlsRequest(options);
    request.once("socket", (socket) => {
      socket.once("connect", () => {
        // A second look at where it went, whatever made the connection.
        if (isAllowed(addressKind(socket.remoteAddress ?? ""), message.allowPrivate)) return;
        request.destroy(new Error(`the connection to ${host} went to an address not public`));
      });
    });
    let isAnswered = false;
    request.on("error", (error) => {
      if (!isAnswered) reject(error); // else whoever reads the answer hears of it
    });
    // Without a listener of ours nothing at all would be heard of an answer that wants to upgrade.
    request.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve(answerOf(response, []));
    });
    request.once("response", (response) => {
      isAnswered = true;
      readAnswer(response, signal)
        .then(resolve, reject)
        .finally(() => request.destroy());
    });
    request.end(message.body);
  });
}

/** Status and the beginning of the body; an answer that breaks off after its status is one. */
async function readAnswer(response: IncomingMessage, signal: AbortSignal): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MOST_READ) break;
    }
  } catch (error) {
    if (signal.aborted) throw error;
  }
  return answerOf(response, chunks);
}

function answerOf({ statusCode, headers }: IncomingMessage, chunks: readonly Buffer[]): Answer {
  const status = statusCode ?? 0;
  const text = Buffer.concat(chunks).subarray(0, MOST_READ).toString("utf8");
  const ok = status >= 200 && status < 300;
  const isRedirect = status >= 300 && status < 400;
  const error = isRedirect
    ? `answered ${status}; redirects are not followed`
    : `answered ${status}`;
  return {
    ok,
    status,
    error: ok ? null : error,
    excerpt: text === "" ? null : toStorable(text).value,
    retryAfterMs: ok ? null : retryAfter(headers["retry-after"]),
  };
}

/** Seconds only: an instant would need a clock that both sides share. */
function retryAfter(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}

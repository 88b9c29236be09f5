// What a limited worker reports, read: from its own word and the parser's verdict to a notice.
// Promises: never throws, whatever is in the report; an instant of the worker goes before one that
// was read (headers, body, text), and where there is none the source is `default`; a worker that
// says it is limited is believed, also when the text says nothing of it.
// Leaves to others: reading the text (`domain/limit-notice`), defaults, bounds (`exhaustion.ts`).

import { toStorable } from "../../std/text.ts";
import type { LimitVerdict } from "../limit-notice/parse-limit.ts";
import { limits } from "../limits.ts";
import type { Evidence, EvidenceSource, LimitNotice, LimitReason } from "./exhaustion.ts";
import { limitReasons } from "./exhaustion.ts";
import { excerptOf } from "./redact.ts";

/** A limit report with its instants in milliseconds since 1970. */
export type LimitReportInput = {
  readonly reason?: LimitReason | undefined;
  readonly recoveryAt?: number | undefined;
  readonly recoveryInMs?: number | undefined;
  readonly scope?: "account" | "model" | undefined;
  /** The model that is limited, or the run's own. */
  readonly model?: string | null | undefined;
  readonly status?: number | null | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly message?: string | undefined;
  readonly provider?: string | undefined;
};

/** The rule of a notice that rests on the worker's word alone. */
const WORKER_SAID = "worker_said";
/** How sure a bare "I am limited" is. */
const BARE_CONFIDENCE = 0.5;

/** What the report says, and who says it. */
export function noticeOf(report: LimitReportInput, verdict: LimitVerdict, at: number): LimitNotice {
  try {
    return read(report, verdict, at);
  } catch {
    // A getter or a proxy of the stranger's own: that something was reported is all there is.
    const evidence = { rule: WORKER_SAID, excerpt: "", confidence: BARE_CONFIDENCE } as const;
    const nothing = { reason: "rate_limit", recoveryAt: null, model: null } as const;
    return { ...nothing, evidence: { ...evidence, source: "default" } };
  }
}

function read(report: LimitReportInput, verdict: LimitVerdict, at: number): LimitNotice {
  const said = reasonOf(report.reason);
  const found = reasonOf(verdict.reason);
  const reason = said ?? found ?? "rate_limit";
  const when = instantOf(report, at) ?? foundInstant(report, verdict, reason);
  const source =
    when?.source ?? (reason === "billing" ? sourceOfBilling(said, verdict) : "default");
  const evidence: Evidence = {
    rule: found === null ? WORKER_SAID : textOf(verdict.rule) || WORKER_SAID,
    excerpt: excerptOf(textOf(report.message)) || excerptOf(numbersOf(report)),
    source,
    confidence: confidenceOf(source, said, verdict),
  };
  return { reason, recoveryAt: when?.at ?? null, model: modelOf(report, verdict), evidence };
}

function reasonOf(value: unknown): LimitReason | null {
  return limitReasons.find((reason) => reason === value) ?? null;
}

type When = { readonly at: number; readonly source: EvidenceSource };

/** The instant that the worker names itself. */
function instantOf({ recoveryAt, recoveryInMs }: LimitReportInput, at: number): When | null {
  if (isInstant(recoveryAt)) return { at: recoveryAt, source: "worker" };
  if (!isInstant(recoveryInMs)) return null;
  return { at: at + recoveryInMs, source: "worker" };
}

function isInstant(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** The instant that was read. One of another limit says nothing of when money comes back. */
function foundInstant(
  report: LimitReportInput,
  verdict: LimitVerdict,
  reason: LimitReason,
): When | null {
  if (reason === "billing" && verdict.reason !== "billing") return null;
  const at = Date.parse(textOf(verdict.recovery_at));
  return Number.isNaN(at) ? null : { at, source: sourceOf(verdict.rule, report.headers) };
}

const HEADER_RULE = /^[\w-]*retry-after(?:-ms)?$/;

/** Where the parser found the time, by the name of its rule: `<reason>, <time>`. */
function sourceOf(rule: string, headers: LimitReportInput["headers"]): EvidenceSource {
  const comma = rule.indexOf(", ");
  const time = comma < 0 ? "" : rule.slice(comma + 2);
  if (HEADER_RULE.test(time)) return "headers";
  // Buckets stand in headers, or in the dump of headers that a text shows.
  if (time.startsWith("reset of ")) {
    return Object.keys(headers ?? {}).some((name) => /reset|limit/i.test(name))
      ? "headers"
      : "body";
  }
  return time.startsWith("field ") ? "body" : "text";
}

function sourceOfBilling(said: LimitReason | null, verdict: LimitVerdict): EvidenceSource {
  if (said === "billing") return "worker";
  return textOf(verdict.rule).startsWith("status-") ? "headers" : "text";
}

function confidenceOf(
  source: EvidenceSource,
  said: LimitReason | null,
  { reason, confidence }: LimitVerdict,
): number {
  if (source === "worker" || said !== null) return 1;
  if (reason === "none" || !isInstant(confidence)) return BARE_CONFIDENCE;
  return Math.min(1, Math.max(0, confidence));
}

/** One model is closed only if it has a name that runs know it by. */
function modelOf({ scope, model }: LimitReportInput, verdict: LimitVerdict): string | null {
  if ((scope ?? verdict.scope) !== "model") return null;
  const names = [model, verdict.model].map((name) => textOf(name).trim());
  const name = names.find((text) => text !== "" && text.length <= limits.nameLength);
  return name === undefined ? null : toStorable(name).value;
}

/** Of a report without words: its status and the headers that speak of limits. */
function numbersOf({ status, headers }: LimitReportInput): string {
  const telling = Object.entries(headers ?? {})
    .filter(([name]) => /retry|limit|reset|codex/i.test(name))
    .slice(0, 12)
    .map(([name, value]) => `${name}: ${textOf(value).slice(0, 80)}`);
  return [...(isInstant(status) ? [`HTTP ${status}`] : []), ...telling].join("\n");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

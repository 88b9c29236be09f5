// A limit that a worker met: cleaned, so that it can be read whatever the provider sent.
// Promises: no text of a provider makes a report fail: headers that are no text become text or are
// dropped, a message is cut to 1 MiB, an instant that is none counts as absent. What the worker
// says itself stays as it is.
// Leaves to others: reading and clamping it (engine), its shape (`schemas/limit.ts`).

import type { JsonObject, LimitReport, ReportBody } from "@signalbox/sdk";
import { Type } from "../typebox.ts";
import type { ExhaustedInput } from "../../engine/contract.ts";
import { wrongFields } from "../schemas/check.ts";
import { instant } from "../schemas/scalars.ts";
import { clean } from "./clean.ts";
import type { Looks } from "./clean.ts";
import { nearestInstant } from "./instant.ts";
import { checkpointOf, processOf } from "./report.ts";

/** What the parser of limits reads at most. */
const MOST_MESSAGE = 1024 * 1024;
/** More than any provider sends; a page of names would only cost time. */
const MOST_HEADERS = 200;

type ExhaustedReport = Extract<ReportBody, { kind: "exhausted" }>;

/** What a report of a limit says about the account, the checkpoint and the process. */
export function toExhausted(
  sent: ExhaustedReport,
  looks: Looks,
): Omit<ExhaustedInput, "runId" | "fence"> {
  const { value } = clean(sent, looks);
  return {
    report: toLimitReport(value),
    ...checkpointOf(value.checkpoint, looks),
    ...processOf(value.process),
  };
}

/** The fields of a limit alone, cleaned. */
export function toLimitReport(sent: LimitReport): LimitReport {
  const { status, provider, reason, scope, model, recovery_in_ms: inMs } = sent;
  const message = textOf(sent.message);
  const headers = headersOf(sent.headers);
  const recoveryAt = instantOf(sent.recovery_at);
  return {
    ...(status === undefined ? {} : { status }),
    ...(headers === undefined ? {} : { headers }),
    ...(message === undefined ? {} : { message }),
    ...(provider === undefined ? {} : { provider }),
    ...(reason === undefined ? {} : { reason }),
    ...(recoveryAt === null ? {} : { recovery_at: recoveryAt }),
    ...(inMs === undefined ? {} : { recovery_in_ms: Math.round(inMs) }),
    ...(scope === undefined ? {} : { scope }),
    ...(model === undefined ? {} : { model }),
  };
}

function textOf(message: unknown): string | undefined {
  if (message === undefined || message === null) return undefined;
  const text = typeof message === "string" ? message : JSON.stringify(message);
  // A cut may fall into the middle of a character.
  return text.length > MOST_MESSAGE ? text.slice(0, MOST_MESSAGE).toWellFormed() : text;
}

function headersOf(headers: unknown): { [name: string]: string } | undefined {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return undefined;
  const texts = Object.entries(headers as JsonObject)
    .slice(0, MOST_HEADERS)
    .flatMap(([name, value]): [string, string][] => {
      if (typeof value === "string") return [[name, value]];
      return typeof value === "number" ? [[name, String(value)]] : [];
    });
  return Object.fromEntries(texts);
}

const shape = Type.Object({ at: instant("When the limit is over.") });

function instantOf(text: unknown): string | null {
  const isInstant = typeof text === "string" && wrongFields(shape, { at: text }) === null;
  return isInstant ? nearestInstant(text) : null;
}

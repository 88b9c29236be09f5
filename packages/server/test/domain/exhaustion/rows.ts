// Rows and notices for tests of exhaustion: each is brought where it is by reports, never by hand.
import type {
  Evidence,
  EvidenceSource,
  Exhaustion,
  LimitNotice,
} from "../../../src/domain/exhaustion/exhaustion.ts";
import {
  probeGranted,
  probeSucceeded,
  recovered,
  reported,
} from "../../../src/domain/exhaustion/exhaustion.ts";

/** The instant tests begin at. */
export const START = 1_800_000_000_000;
export const SECOND = 1000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export const ACCOUNT = "anthropic/max-1";
export const RUN = "01907a36-5c00-7000-8000-000000000001";
export const OTHER_RUN = "01907a36-5c00-7000-8000-000000000002";
export const PROBE = { runId: RUN, token: 3, since: START + HOUR };

function evidenceOf(source: EvidenceSource): Evidence {
  return { rule: "limit-reached", excerpt: "usage limit reached", source, confidence: 0.9 };
}

/** A report; `inMs` is when it ends, from the start, null: nobody said. */
export function notice(
  reason: LimitNotice["reason"],
  inMs: number | null,
  source: EvidenceSource = inMs === null ? "default" : "text",
  model: string | null = null,
): LimitNotice {
  const recoveryAt = inMs === null ? null : START + inMs;
  return { reason, recoveryAt, model, evidence: evidenceOf(source) };
}

/** Closed at the start, until `inMs` later (null: until a person acts). */
export function closed(inMs: number | null, model: string | null = null): Exhaustion {
  const what = inMs === null ? notice("billing", null) : notice("quota", inMs);
  return reported(null, ACCOUNT, { ...what, model }, START).after;
}

export function halfOpen(model: string | null = null): Exhaustion {
  return recovered(closed(HOUR, model), START + HOUR, "sweep").after;
}

export function probing(model: string | null = null): Exhaustion {
  return probeGranted(halfOpen(model), PROBE).after;
}

export function open(model: string | null = null): Exhaustion {
  return probeSucceeded(probing(model), PROBE, START + HOUR + MINUTE).after;
}

// Every limit of the law in one table: sizes in bytes, times in milliseconds, counts.
// Promises: schemas, domain checks and the generated reference read the same numbers.
// Leaves to others: enforcing (HTTP schemas at the edge, `newRun`, `decide`).

/** Sizes (`…Bytes`), times (`…Ms`, `…S`), counts. Generated into docs/reference/limits.md. */
export const limits = {
  inputBytes: 256 * 1024,
  outputBytes: 1024 * 1024,
  checkpointBytes: 256 * 1024,
  eventDataBytes: 60 * 1024,
  lateLogBytes: 1024 * 1024,
  authorizationBytes: 16 * 1024,
  metadataBytes: 16 * 1024,
  jsonDepth: 64,
  batchItems: 1000,
  eventsPerBatch: 500,
  claimRuns: 500,
  dependencies: 100,
  requires: 32,
  tags: 32,
  nameLength: 200,
  keyLength: 255,
  reasonLength: 2000,
  leaseMsMin: 1000,
  leaseMsMax: 3_600_000,
  leaseMsDefault: 60_000,
  waitMsMax: 30_000,
  maxAttemptsMax: 100,
  maxAttemptsDefault: 3,
  maxDurationSMax: 31 * 24 * 3600,
  releasesFree: 10,
  exhaustionsFree: 20,
  suspensionsFree: 100,
  approvalsByExpiry: 3,
  approvalTitleLength: 500,
  approvalArgumentsBytes: 32 * 1024,
  approvalHoldMsDefault: 900_000,
  approvalHoldMsMax: 24 * 3_600_000,
  approvalExpiryMsDefault: 1_800_000,
  approvalExpiryMsMax: 24 * 3_600_000,
  exhaustedParkMs: 3_600_000,
  cancelGraceMs: 30_000,
  killGraceMs: 10_000,
  lateAppendMs: 600_000,
  ageingMsPerPoint: 15 * 60_000,
  keyAgents: 100,
  keyOverlapSDefault: 24 * 3600,
  keyOverlapSMax: 30 * 24 * 3600,
  loginLinkMs: 10 * 60_000,
  sessionIdleMs: 12 * 3_600_000,
  sessionMaxMs: 7 * 24 * 3_600_000,
  idempotencyKeptMs: 7 * 24 * 3_600_000,
} as const;

/** Waits 5 s, 10 s, 20 s … 15 min, spread by ± 20 %. */
export const defaultBackoff = { baseMs: 5000, factor: 2, capMs: 900_000, jitter: 0.2 } as const;

/** Words for priorities 0–99. From 80 on a run is critical. */
export const priorityWords = { critical: 80, high: 60, medium: 40, low: 20 } as const;

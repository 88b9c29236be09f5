// Small givens for engine tests: an origin and a submission with its defaults.
import type { NewRun } from "../../src/domain/submission.ts";
import { canonicalJson, sha256Hex } from "../../src/std/digest.ts";

export const origin = { actor: "test", requestId: "test", traceparent: null };

/** A submission with defaults; hashes follow the given parts. */
export function newRunOf(parts: Partial<NewRun> = {}): NewRun {
  const input = parts.input ?? null;
  return {
    queue: "default",
    runner: "default",
    requires: [],
    agent: null,
    runtime: null,
    model: null,
    account: null,
    input,
    priority: 40,
    notBefore: null,
    deadlineAt: null,
    maxDurationS: null,
    maxAttempts: 3,
    backoff: {},
    estimate: null,
    idempotencyKey: null,
    bodySha256: sha256Hex(canonicalJson({ ...parts })),
    inputSha256: sha256Hex(canonicalJson(input)),
    concurrencyKey: null,
    concurrencyLimit: 1,
    dependsOn: [],
    failWithDependency: false,
    parentRun: null,
    tags: [],
    metadata: {},
    scopes: {},
    authorization: null,
    agentTimeoutMs: null,
    traceparent: null,
    ref: null,
    ...parts,
  };
}

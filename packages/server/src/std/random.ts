// Randomness that decides nothing about security: jitter. It is injected wherever it is used, so
// that tests can fix it. Secrets come from node:crypto instead.

/* oxlint-disable no-restricted-properties -- the one place where it is taken */

/** A number 0 ≤ r < 1. */
export const systemRandom: () => number = Math.random;

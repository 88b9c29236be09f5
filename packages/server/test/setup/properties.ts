// The seed of every property test: the same one each time, so that a change is judged by what it
// changed.
// Promises: PROPERTY_SEED=<n> tries other cases; a failure prints the seed that shows it again.
// Leaves to others: the properties.

import fc from "fast-check";

const seed = Number(process.env["PROPERTY_SEED"] ?? 20_261_121);
if (!Number.isSafeInteger(seed)) throw new Error("PROPERTY_SEED must be a whole number");
fc.configureGlobal({ seed });

// Measured consumption, as workers report it and as runs show it.
// Promises: whole numbers ≥ 0; absent means not reported, which is not zero.
// Leaves to others: summing and charging (engine).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { named } from "./named.ts";
import { amount, closed } from "./scalars.ts";

export const usageProperties = {
  input_tokens: Type.Optional(amount("Tokens read.")),
  output_tokens: Type.Optional(amount("Tokens written.")),
  cache_read_input_tokens: Type.Optional(amount("Of the input tokens, read from a cache.")),
  reasoning_output_tokens: Type.Optional(amount("Of the output tokens, spent on reasoning.")),
  cost_micros: Type.Optional(amount("USD · 10⁻⁶.")),
  steps: Type.Optional(amount("Steps of the agent.")),
};

export const usage = named<wire.Usage>()("Usage", Type.Object(usageProperties, closed));

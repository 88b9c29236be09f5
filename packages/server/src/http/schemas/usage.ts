// Measured consumption, as workers report it, as runs show it, and summed by agent and day.
// Promises: whole numbers ≥ 0; absent means not reported, which is not zero.
// Leaves to others: summing and charging (engine), instants that exist (`mapping/usage.ts`).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { named, nullable } from "./named.ts";
import { id, amount, closed, instant, name } from "./scalars.ts";

const usageProperties = {
  input_tokens: Type.Optional(amount("Tokens read.")),
  output_tokens: Type.Optional(amount("Tokens written.")),
  cache_read_input_tokens: Type.Optional(amount("Of the input tokens, read from a cache.")),
  reasoning_output_tokens: Type.Optional(amount("Of the output tokens, spent on reasoning.")),
  cost_micros: Type.Optional(amount("USD · 10⁻⁶.")),
  steps: Type.Optional(amount("Steps of the agent.")),
};

export const usage = named<wire.Usage>()("Usage", Type.Object(usageProperties, closed));

/** What a worker reports: with the model that consumed it, if it knows. */
export const reportedUsage = Type.Object(
  { ...usageProperties, model: Type.Optional(name("The model that consumed it.")) },
  closed,
);

const usageRow = named<wire.UsageRow>()(
  "UsageRow",
  Type.Object({
    agent: nullable(Type.String()),
    account: nullable(Type.String()),
    model: nullable(Type.String()),
    day: Type.String({ format: "date", description: "In UTC." }),
    attempts: Type.Integer(),
    usage,
  }),
);
export const usageRows = Type.Object({ items: Type.Array(usageRow) });

export const usageQuery = Type.Object(
  {
    from: Type.Optional(
      instant("From this instant on. Default: 7 days before `to`; of one run, its beginning."),
    ),
    to: Type.Optional(instant("Before this instant. Default: now.")),
    agent: Type.Optional(name("Only of this agent.")),
    account: Type.Optional(name("Only of this account.")),
    run: Type.Optional(id("run", "Only of this run.")),
  },
  closed,
);

// Slots: planned times in an agent's calendar.
// Promises: exactly `Slot` and `SlotInput` of the wire; the run of a slot has the shape of a
// submission.
// Leaves to others: instants, the run's sizes (`mapping/slot.ts`), overlaps and starts (engine).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { slotStatuses, slotTypes } from "../../domain/slot.ts";
import { named, nullable, oneOf } from "./named.ts";
import { shortPage } from "./page.ts";
import { closed, count, instant, jsonObject, name, text } from "./scalars.ts";
import { runSubmission } from "./submission.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });

const type = oneOf(slotTypes, "What it is.");
const status = oneOf(slotStatuses, "Where it stands.");

export const slotInput = named<wire.SlotInput>()(
  "SlotInput",
  Type.Object(
    {
      agent: name("Whose time it is."),
      type,
      title: Type.Optional(text(500, "For people.")),
      priority: Type.Optional(count(0, 99, "Which of several due slots starts. Default 40.")),
      starts_at: instant("When it begins."),
      ends_at: instant("When it is over."),
      content: Type.Optional(nullable(jsonObject("For the agent. ≤ 16 KiB."))),
      run: Type.Optional(nullable(runSubmission)),
    },
    closed,
  ),
);

export const slot = named<wire.Slot>()(
  "Slot",
  Type.Object({
    id: string,
    agent: string,
    type,
    title: nullable(string),
    priority: Type.Integer(),
    status,
    starts_at: at,
    ends_at: at,
    started_at: nullable(at),
    ended_at: nullable(at),
    content: nullable(jsonObject("For the agent.")),
    run: nullable(runSubmission),
    run_id: nullable(string),
    reason: nullable(string),
    created_at: at,
  }),
);

export const slotQuery = Type.Object(
  {
    agent: Type.Optional(name("Only of this agent.")),
    status: Type.Optional(status),
    ...shortPage,
  },
  closed,
);

// Allowances: what a project, agent, account or model may consume in a window.
// Promises: exactly `Allowance` and `AllowanceInput` of the wire.
// Leaves to others: which fields go together, zones that exist (domain), reserving (engine).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import {
  allowanceMetrics,
  allowanceModes,
  allowanceScopes,
} from "../../domain/allowance/allowance.ts";
import { named, nullable, oneOf } from "./named.ts";
import { amount, closed, count, name } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });

const scope = oneOf(allowanceScopes, "What it is for.");
const metric = oneOf(allowanceMetrics, "What it counts.");
const window = oneOf(
  ["hour", "day", "week", "month", "rolling"],
  "Time it counts in; `rolling` needs `window_hours`, `concurrent_runs` has none.",
);
const mode = oneOf(
  allowanceModes,
  "`soft` warns, `hard` (default) holds claims back, `kill` ends runs that cross it as well.",
);

/** 31 days: the longest rolling window. */
const MOST_HOURS = 744;

const changeable = {
  limit: amount("Most of it."),
  mode: Type.Optional(mode),
  default_reserve: Type.Optional(
    nullable(amount("Reserved per attempt when the run has no estimate; null: what is typical.")),
  ),
};

export const allowanceInput = named<wire.AllowanceInput>()(
  "AllowanceInput",
  Type.Object(
    {
      scope,
      name: Type.Optional(nullable(name("The agent, account or model; none for the project."))),
      metric,
      window: Type.Optional(window),
      window_hours: Type.Optional(count(1, MOST_HOURS, "Length of a rolling window.")),
      time_zone: Type.Optional(name("IANA zone of calendar windows. Default UTC.")),
      reset_time: Type.Optional(
        Type.String({
          pattern: "^(?:[01]\\d|2[0-3]):[0-5]\\d$",
          description: "Time of day at which calendar windows begin. Default 00:00.",
          "x-says": "must be a time of day from 00:00 to 23:59, as HH:MM",
        }),
      ),
      ...changeable,
    },
    closed,
  ),
);

export const allowanceChange = Type.Object(
  { ...changeable, limit: Type.Optional(changeable.limit) },
  { ...closed, title: "AllowanceChange" },
);

export const allowance = named<wire.Allowance>()(
  "Allowance",
  Type.Object({
    id: string,
    scope,
    name: nullable(string),
    metric,
    limit: Type.Integer(),
    window: nullable(window),
    window_hours: nullable(Type.Integer()),
    time_zone: string,
    reset_time: string,
    mode,
    default_reserve: nullable(Type.Integer()),
    spent: Type.Integer({ description: "In this period; concurrent_runs: live attempts." }),
    reserved: Type.Integer({ description: "Set aside for live attempts." }),
    period_started_at: nullable(at),
    period_ends_at: nullable(at),
    created_at: at,
  }),
);

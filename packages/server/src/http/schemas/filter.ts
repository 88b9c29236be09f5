// Queries of lists and streams.
// Promises: parameters that are not listed here are refused by name.
// Leaves to others: conversion of text to numbers (`check.ts`), meaning (`mapping/filter.ts`).

import { Type } from "../typebox.ts";
import { runState } from "./run.ts";
import { longPage, shortPage } from "./page.ts";
import { bigInteger, closed, count, id, instant, name } from "./scalars.ts";
import { limits } from "../../domain/limits.ts";
import { oneOf } from "./named.ts";

const scope = Type.Optional(name("Runs with this value; `(none)`: runs without one."));

export const runQuery = Type.Object(
  {
    state: Type.Optional(
      Type.Array(runState, { maxItems: 9, description: "Repeated, or separated by commas." }),
    ),
    queue: Type.Optional(name("Queue.")),
    agent: Type.Optional(name("Agent that it was submitted for or that has it.")),
    runtime: Type.Optional(name("Runtime that has it.")),
    runner: Type.Optional(name("Runner.")),
    tag: Type.Optional(name("Tag.")),
    conversation_id: scope,
    thread_id: scope,
    workspace_id: scope,
    bot_id: scope,
    binding_id: scope,
    event_id: scope,
    error_code: Type.Optional(name("Code of its error.")),
    created_after: Type.Optional(instant("Created after this instant.")),
    created_before: Type.Optional(instant("Created before this instant.")),
    finished_after: Type.Optional(instant("Finished after this instant.")),
    finished_before: Type.Optional(instant("Finished before this instant.")),
    text: Type.Optional(
      Type.String({
        maxLength: 100,
        pattern: "^[a-z0-9_]+$",
        description: "Beginning of the run's id, with or without `run_`.",
        "x-says": "must be the beginning of a run id",
      }),
    ),
    ...longPage,
  },
  closed,
);

export const longPageQuery = Type.Object(longPage, closed);
export const shortPageQuery = Type.Object(shortPage, closed);

const type = Type.Optional(name("Only events of this type."));
const lastEventId = Type.Optional(
  bigInteger("Streams: go on after this one, when the header `Last-Event-ID` cannot be sent."),
);

const bySeq = {
  after_seq: Type.Optional(bigInteger("Only events after this number.")),
  before_seq: Type.Optional(bigInteger("Only events before this number.")),
  order: Type.Optional(oneOf(["asc", "desc"], "Default asc.")),
  type,
  ...longPage,
};

export const runEventsQuery = Type.Object(
  {
    ...bySeq,
    text: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: "Only events whose type or data contains this, in any case of letters.",
      }),
    ),
    level: Type.Optional(
      oneOf(["warning"], "Only what was written to stderr, or with this level or a worse one."),
    ),
    source: Type.Optional(
      Type.Array(oneOf(["host", "runner", "operator"]), {
        maxItems: 3,
        description: "Only from these. Repeated, or separated by commas.",
      }),
    ),
    without: Type.Optional(
      Type.Array(name("A type."), {
        maxItems: 20,
        description: "Without these types; one that ends in a dot is the beginning of types.",
      }),
    ),
    last_event_id: lastEventId,
  },
  closed,
);
/** Of other streams than runs: pages only. */
export const streamEventsQuery = Type.Object(bySeq, closed);

export const runtimeQuery = Type.Object(
  {
    state: Type.Optional(oneOf(["online", "draining", "stale", "offline"], "Only in this state.")),
    agent: Type.Optional(name("Only those that work as this agent.")),
    label: Type.Optional(
      Type.String({
        maxLength: 1300,
        pattern: "^[^:\\p{Cc}][^\\p{Cc}]*$",
        description: "Only those with this label, as `key:value`.",
        "x-says": "must be key:value",
      }),
    ),
    ...shortPage,
  },
  closed,
);

export const feedQuery = Type.Object(
  {
    after_feed: Type.Optional(bigInteger("Only events after this number of the feed.")),
    type: Type.Optional(
      name("Only events of this type; one that ends in a dot is the beginning of types (`run.`)."),
    ),
    run: Type.Optional(id("run", "Only events of this run.")),
    agent: Type.Optional(
      name("Only events of this agent: its own, those of its attempts, of runs meant for it."),
    ),
    last_event_id: lastEventId,
    ...longPage,
  },
  closed,
);

export const waitQuery = Type.Object(
  {
    timeout_ms: Type.Optional(
      count(0, limits.waitMsMax, "Answer at the latest after this long. Default 30,000."),
    ),
  },
  closed,
);

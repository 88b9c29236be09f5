// Approvals: what is asked, how it is answered, what it looks like.
// Promises: exactly the shapes of the wire; bounds are those of the table of limits.
// Leaves to others: bytes and depth of arguments (`mapping/approval.ts`), who may (routes).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import {
  approvalModes,
  approvalRisks,
  approvalStatuses,
  expiryPolicies,
} from "../../domain/approval.ts";
import { limits } from "../../domain/limits.ts";
import { runStates } from "../../domain/machine.ts";
import { named, nullable, oneOf } from "./named.ts";
import { shortPage } from "./page.ts";
import { closed, count, id, json, jsonObject, key, name, text } from "./scalars.ts";

const string = Type.String();
const at = Type.String({ format: "date-time" });
const args = (what: string) => jsonObject(`${what} ≤ ${limits.approvalArgumentsBytes / 1024} KiB.`);
const mode = oneOf(approvalModes, "Keep the lease while waiting, or end the attempt.");
const risk = oneOf(approvalRisks, "How much harm it could do.");
const onExpiry = oneOf(expiryPolicies, "What follows when nobody answers.");
const comment = Type.Optional(text(limits.reasonLength, "Why, in words. Recorded."));

/** The fields of a question, for its own route and as a report. */
export const askProperties = {
  title: Type.String({
    minLength: 1,
    maxLength: limits.approvalTitleLength,
    description: "What the person reads first.",
  }),
  action: name("What is to be done, as a program names it."),
  arguments: Type.Optional(args("What it is to be done with.")),
  risk: Type.Optional(risk),
  key: Type.Optional(key("Names the question in its run. Default: made from what is asked.")),
  mode: Type.Optional(mode),
  hold_s: Type.Optional(
    count(1, limits.approvalHoldMsMax / 1000, "A held attempt is then suspended. Default 900."),
  ),
  expires_in_s: Type.Optional(
    count(1, limits.approvalExpiryMsMax / 1000, "How long it waits for an answer. Default 1,800."),
  ),
  on_expiry: Type.Optional(onExpiry),
  checkpoint: Type.Optional(json("Stored with the run. ≤ 256 KiB.")),
};

/** With a worker's key the fence is needed; the keys of an attempt and its children name it. */
export const askRequest = Type.Object(
  {
    attempt_id: Type.Optional(id("att", "The attempt")),
    fencing_token: Type.Optional(count(1, 2 ** 31 - 1, "The token of the claim.")),
    ...askProperties,
  },
  closed,
);

const sha256 = Type.String();
const fields = {
  id: string,
  run_id: string,
  attempt_id: string,
  attempt_number: Type.Integer(),
  agent: nullable(string),
  key: string,
  title: string,
  action: string,
  arguments: args("As asked."),
  risk,
  mode,
  on_expiry: onExpiry,
  status: oneOf(approvalStatuses, "Where it stands."),
  asked_at: at,
  asked_sha256: sha256,
  hold_until: nullable(at),
  expires_at: at,
  decided_at: nullable(at),
  decided_by: nullable(string),
  comment: nullable(string),
  edited_arguments: nullable(args("What the person approved instead.")),
  decided_sha256: nullable(sha256),
  executed_at: nullable(at),
};

export const approval = named<wire.Approval>()("Approval", Type.Object(fields));

export const askedApproval = named<wire.AskedApproval>()(
  "AskedApproval",
  Type.Object({ approval, run_state: oneOf(runStates) }),
);

export const approveRequest = named<wire.ApprovalAnswer>()(
  "ApprovalAnswer",
  Type.Object(
    { comment, arguments: Type.Optional(args("Edited: approved instead of those asked.")) },
    closed,
  ),
);
export const rejectRequest = Type.Object({ comment }, closed);

export const linkAnswer = named<wire.LinkAnswer>()(
  "LinkAnswer",
  Type.Object(
    {
      decision: oneOf(["approve", "reject"]),
      comment,
      arguments: Type.Optional(args("Edited: approved instead of those asked.")),
    },
    closed,
  ),
);

export const linkedApproval = named<wire.LinkedApproval>()(
  "LinkedApproval",
  Type.Object({
    id: fields.id,
    title: fields.title,
    action: fields.action,
    arguments: fields.arguments,
    risk: fields.risk,
    agent: fields.agent,
    asked_at: fields.asked_at,
    expires_at: fields.expires_at,
    status: fields.status,
  }),
);

export const approvalLink = named<wire.ApprovalLink>()(
  "ApprovalLink",
  Type.Object({ approval_id: string, token: string, path: string, expires_at: at }),
);

export const executedRequest = Type.Object(
  {
    attempt_id: Type.Optional(id("att", "The attempt")),
    fencing_token: Type.Optional(count(1, 2 ** 31 - 1, "The token of the claim.")),
    sha256: Type.Optional(
      Type.String({
        pattern: "^[0-9a-f]{64}$",
        description: "SHA-256 of the canonical JSON of `{action, arguments}`.",
        "x-says": "must be 64 hexadecimal digits",
      }),
    ),
    arguments: Type.Optional(args("What it was done with; hashed by the server.")),
  },
  closed,
);

const MOST_WAIT_S = limits.waitMsMax / 1000;
export const approvalWait = Type.Object(
  {
    wait_s: Type.Optional(
      count(0, MOST_WAIT_S, "Answer when it is decided, at the latest after this. Default 0."),
    ),
  },
  closed,
);

export const approvalQuery = Type.Object(
  {
    status: Type.Optional(oneOf(approvalStatuses, "Only these. `pending` is the inbox.")),
    agent: Type.Optional(name("Only those of this agent.")),
    risk: Type.Optional(risk),
    run_id: Type.Optional(id("run", "Only those of this run")),
    order: Type.Optional(oneOf(["asc", "desc"], "By when they were asked. Default asc.")),
    ...shortPage,
  },
  closed,
);

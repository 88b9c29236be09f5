// `approvals list|show|approve|reject|link|ask`: the inbox of questions, answering them, and asking
// one from a program that a worker runs.
// Promises: what was asked is shown whole before and after; `ask` ends 0 only when it was approved,
// with the approved arguments on stdout.
// Leaves to others: who may answer, and who is first (the server); what it looks like
// (`show-approval.ts`).

import type {
  Approval,
  ApprovalAsk,
  ApprovalRisk,
  ApprovalStatus,
  AskedApproval,
} from "@signalbox/sdk";
import { Signalbox } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { exit } from "../exit-codes.ts";
import { usage } from "../failure.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { approvalLine, showApproval, showApprovals } from "../show-approval.ts";

const theApproval = { name: "id", says: "id of the approval (`approvals list`)" };
const commentFlag = { flag: "--comment <text>", says: "why, for the register and the agent" };

const statuses: readonly ApprovalStatus[] = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
];
const risks: readonly ApprovalRisk[] = ["low", "medium", "high"];

const list: CommandSpec = {
  words: "approvals list",
  says: "List what waits for an answer, oldest first; with --status also what was answered",
  flags: [
    { flag: "--status <status>", says: `${statuses.join(", ")}, or all; pending unless given` },
    { flag: "--agent <name>", says: "only of this agent" },
    { flag: "--risk <risk>", says: `only of this risk: ${risks.join(", ")}` },
    { flag: "--of <run>", says: "only of this run" },
    ...pageFlags,
  ],
  options: clientOptions,
  examples: ["signalbox approvals list", "signalbox approvals list --status all --risk high"],
  act: async (call) => {
    const status = call.word("status", [...statuses, "all"]) ?? "pending";
    const risk = call.word("risk", risks);
    const agent = call.text("agent");
    const runId = call.text("of");
    const page = await throughDoor(call, usual, ({ client }) =>
      client.approvals.list({
        ...pageOf(call),
        ...(status !== "all" && { status }),
        ...(risk && { risk }),
        ...(agent && { agent }),
        ...(runId && { run_id: runId }),
      }),
    );
    showPage(call, page, {
      none: status === "pending" ? "nothing waits for an answer" : "no approvals",
      show: (items) => showApprovals(call.screen, items),
    });
  },
};

const show: CommandSpec = {
  words: "approvals show",
  says: "Show one question with its arguments, and how it was answered",
  takes: [theApproval],
  options: clientOptions,
  examples: ["signalbox approvals show apr_01jdk3x0v5e8ka5wz1f4m2q7rt"],
  act: async (call) => {
    const one = await throughDoor(call, usual, ({ client }) =>
      client.approvals.get(call.argument(0)),
    );
    call.screen.result(one, () => showApproval(call.screen, one));
  },
};

const approve: CommandSpec = {
  words: "approvals approve",
  says: "Approve, as it was asked or with edited arguments; the run goes on",
  takes: [theApproval],
  flags: [
    {
      flag: "--edit <json>",
      says: "approve these arguments instead (JSON, @file, or - for stdin)",
    },
    commentFlag,
  ],
  options: clientOptions,
  examples: [
    "signalbox approvals approve apr_01jdk3x0v5e8ka5wz1f4m2q7rt",
    "signalbox approvals approve apr_01jdk3x0v5e8ka5wz1f4m2q7rt --edit '{\"pr\":42}'",
  ],
  act: async (call) => {
    const edited = call.object("edit");
    const comment = call.text("comment");
    const one = await throughDoor(call, usual, ({ client }) =>
      client.approvals.approve(call.argument(0), {
        ...(comment !== undefined && { comment }),
        ...(edited !== undefined && { arguments: edited }),
      }),
    );
    call.screen.result(one, () => call.screen.line(approvalLine(one)));
  },
};

const reject: CommandSpec = {
  words: "approvals reject",
  says: "Reject; the run ends cancelled",
  takes: [theApproval],
  flags: [commentFlag],
  options: clientOptions,
  examples: [
    'signalbox approvals reject apr_01jdk3x0v5e8ka5wz1f4m2q7rt --comment "not on a Friday"',
  ],
  act: async (call) => {
    const comment = call.text("comment");
    const one = await throughDoor(call, usual, ({ client }) =>
      client.approvals.reject(call.argument(0), comment === undefined ? {} : { comment }),
    );
    call.screen.result(one, () => call.screen.line(approvalLine(one)));
  },
};

const link: CommandSpec = {
  words: "approvals link",
  says: "Make a callback link: whoever has it can answer this one question, once",
  takes: [theApproval],
  options: clientOptions,
  examples: ["signalbox approvals link apr_01jdk3x0v5e8ka5wz1f4m2q7rt"],
  act: async (call) => {
    const made = await throughDoor(call, usual, async ({ client, url }) => {
      const one = await client.approvals.link(call.argument(0));
      return { ...one, url: new URL(one.path, url).href };
    });
    call.screen.result(made, () => call.screen.line(made.url));
  },
};

// ---- asking -------------------------------------------------------------------------------------

const WAIT_S = 25;

function questionOf(call: Call): ApprovalAsk {
  const key = call.text("key");
  const args = call.object("arguments");
  const risk = call.word("risk", risks);
  const onExpiry = call.word("onExpiry", ["timeout", "reject", "approve"]);
  const range = { least: 1, most: 86_400 };
  const hold = call.number("hold", range);
  const expires = call.number("expires", range);
  return {
    title: call.required("title"),
    action: call.required("action"),
    ...(args !== undefined && { arguments: args }),
    ...(key !== undefined && { key }),
    ...(risk !== undefined && { risk }),
    ...(call.on("suspend") && { mode: "suspend" as const }),
    ...(hold !== undefined && { hold_s: hold }),
    ...(expires !== undefined && { expires_in_s: expires }),
    ...(onExpiry !== undefined && { on_expiry: onExpiry }),
  };
}

/** Asks as the attempt (or child) whose key is in the environment, and waits. */
async function askAndWait(call: Call): Promise<Approval> {
  const { url, runId, attemptKey } = call.config;
  if (url === null || runId === null || attemptKey === null) {
    throw usage(
      "This asks in the name of a run: SIGNALBOX_URL, SIGNALBOX_RUN_ID and SIGNALBOX_ATTEMPT_KEY " +
        "must be set, as they are for the programs of a worker.",
    );
  }
  const question = questionOf(call);
  const { http } = new Signalbox({ url, key: attemptKey });
  const path = `/v1/runs/${runId}/approvals`;
  const { approval: asked } = await http.post<AskedApproval>(path, { body: question, retry: true });
  let one = asked;
  const progress = call.screen.progress(`waiting for an answer to ${one.id}`);
  try {
    while (one.status === "pending" && one.hold_until !== null) {
      one = await http.get<Approval>(`${path}/${asked.id}`, {
        query: { wait_s: WAIT_S },
        timeoutMs: (WAIT_S + 15) * 1000,
      });
    }
  } finally {
    progress.done();
  }
  return one;
}

const ask: CommandSpec = {
  words: "approvals ask",
  says: "Ask a person from a program that a worker runs, and wait for the answer",
  more:
    "Prints the approved arguments as JSON and ends 0. Ends 1 when it was not approved, and 75 " +
    "when the run waits without this attempt: the program is started again and asks again " +
    "under the same key, which then answers at once.",
  flags: [
    { flag: "--title <text>", says: "what the person reads first (needed)" },
    { flag: "--action <name>", says: "what is to be done (needed)" },
    { flag: "--arguments <json>", says: "what with: a JSON object, @file, or - for stdin" },
    { flag: "--key <key>", says: "names the question in its run; made from what is asked" },
    { flag: "--risk <risk>", says: `${risks.join(", ")}; medium unless given` },
    { flag: "--suspend", says: "end the attempt until there is an answer, instead of holding it" },
    { flag: "--hold <seconds>", says: "suspend after this long; 900 unless given" },
    { flag: "--expires <seconds>", says: "how long it waits for an answer; 1800 unless given" },
    { flag: "--on-expiry <policy>", says: "then: timeout (unless given), reject, approve" },
  ],
  options: ["url", "runId"],
  examples: ["signalbox approvals ask --title 'Merge?' --action merge --arguments '{\"pr\":42}'"],
  act: async (call) => {
    const one = await askAndWait(call);
    const args = one.edited_arguments ?? one.arguments;
    if (one.status === "approved") {
      call.screen.result(one, () => call.screen.data(args, "line"));
      return exit("ok");
    }
    call.screen.result(one, () => call.screen.aside(approvalLine(one)));
    return exit(one.status === "pending" ? "temporary" : "no");
  },
};

export const approvalCommands: readonly CommandSpec[] = [list, show, approve, reject, link, ask];

// stop and resume of a project: nothing of it is claimed while the stop stands, what is live is
// given back without cost (or cancelled), and only a person lifts it.
// Promises: a claim that commits after the stop is impossible (the project is locked against
// claims while the stop commits); each live attempt ends `released`, cause `stopped`, its
// checkpoint kept.
// Leaves to others: telling workers (directives), refusing claims (`admit`).

import type * as wire from "@signalbox/sdk";
import type { RunCommand } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import { excludeProject, readProjects, setProjectStop } from "../../store/projects.ts";
import { liveRunsOf } from "../../store/runs.ts";
import { nilUuid } from "../../store/specs.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { projectOf } from "../queries/views.ts";
import { names } from "../services/hub.ts";
import type { Where } from "./operate.ts";
import { record } from "./operate.ts";

const PAGE = 500;

type StopCall = { reason: string; stop: boolean; cancelLive: boolean; origin: Origin };

export async function setStop(
  parts: Parts,
  projectId: string,
  call: StopCall,
): Promise<wire.Project | Refusal> {
  const { reason, stop, origin } = call;
  const row = await parts.writer.within([projectId], async (runner) => {
    await excludeProject(runner, projectId);
    const changed = await setProjectStop(
      runner,
      projectId,
      stop ? { reason, by: origin.actor } : null,
    );
    if (changed === null) return (await readProjects(runner, [projectId]))[0];
    const where: Where = {
      stream: "project",
      streamId: projectId,
      seq: changed.last_seq,
      projectId,
    };
    const type = stop ? "project.stopped" : "project.resumed";
    await record(parts, runner, where, { type, source: "operator", data: { reason }, origin });
    return changed;
  });
  if (row === undefined) return refuse("not_found", "There is no such project.");
  if (stop) {
    await endLive(parts, projectId, call);
  } else {
    parts.hub.ring(names.work(projectId));
    parts.ring([names.work(projectId)]);
  }
  return projectOf(row);
}

/** Gives back (or cancels) what is live; nothing new can start meanwhile. */
async function endLive(parts: Parts, projectId: string, call: StopCall): Promise<void> {
  const command: RunCommand = call.cancelLive
    ? { kind: "kill", reason: call.reason }
    : { kind: "release", cause: "stopped" };
  let after = nilUuid;
  for (;;) {
    const cursor = after;
    const page = await parts.reader.within([projectId], (runner) =>
      liveRunsOf(runner, projectId, cursor, PAGE),
    );
    await Promise.all(
      page.map((run) =>
        parts.control.add({
          kind: "run",
          projectId,
          runId: run.id,
          // The attempt that was live at the stop, not one claimed after a resume.
          fence: { attemptId: run.attempt_id, token: run.fencing_token },
          what: { command },
          origin: call.origin,
        }),
      ),
    );
    if (page.length < PAGE) return;
    after = page.at(-1)?.id ?? after;
  }
}

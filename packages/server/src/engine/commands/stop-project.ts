// stop and resume of a project: nothing of it is claimed while the stop stands, what is live is
// given back without cost (or cancelled), and only a person lifts it.
// Promises: a claim that commits after the stop is impossible (the project is locked against
// claims while the stop commits); each live attempt ends `released`, cause `stopped`, its
// checkpoint kept; who, what and why stand in the register.
// Leaves to others: telling workers (directives), refusing claims (`admit`), the stop of everything
// (`stop-everything.ts`), what is left to end when this server dies (sweeps).

import type * as wire from "@signalbox/sdk";
import type { RunCommand } from "../../domain/command.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuse } from "../../domain/refusal.ts";
import { nilUuid } from "../../std/ids.ts";
import { excludeProject, readProjects, setProjectStop } from "../../store/projects.ts";
import { liveRunsOf } from "../../store/runs.ts";
import type { Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { projectOf } from "../queries/views.ts";
import { names } from "../services/hub.ts";
import type { Where } from "./operate.ts";
import { record } from "./operate.ts";

const PAGE = 500;

export type StopCall = {
  readonly reason: string;
  readonly stop: boolean;
  readonly cancelLive: boolean;
  readonly origin: Origin;
};

export async function setStop(
  parts: Parts,
  projectId: string,
  call: StopCall,
): Promise<wire.Project | Refusal> {
  const { reason, stop, cancelLive, origin } = call;
  const row = await parts.writer.within([projectId], async (runner) => {
    await excludeProject(runner, projectId);
    const wanted = stop ? { reason, by: origin.actor, cancels: cancelLive } : null;
    const seq = await setProjectStop(runner, projectId, wanted);
    if (seq !== null) {
      const where: Where = { stream: "project", streamId: projectId, seq, projectId };
      const type = stop ? "project.stopped" : "project.resumed";
      const data = { reason, ...(stop && { cancel_live: cancelLive }) };
      await record(parts, runner, where, { type, source: "operator", data, origin });
    }
    return (await readProjects(runner, [projectId]))[0];
  });
  if (row === undefined) return refuse("not_found", "There is no such project.");
  if (stop) await endLive(parts, [projectId], call);
  else letGo(parts, [projectId]);
  return projectOf(row);
}

/** Waiting claims of these projects look again, here and on other servers. */
export function letGo(parts: Parts, projects: readonly string[]): void {
  for (const projectId of projects) parts.hub.ring(names.work(projectId));
  parts.ring(projects.map(names.work));
}

/** Gives back (or cancels) what is live; nothing new can start meanwhile. */
export async function endLive(
  parts: Parts,
  projects: readonly string[],
  call: StopCall,
): Promise<void> {
  const command: RunCommand = call.cancelLive
    ? { kind: "kill", reason: call.reason }
    : { kind: "release", cause: "stopped" };
  let after = nilUuid;
  for (;;) {
    const cursor = after;
    const page = await parts.reader.within(projects, (runner) =>
      liveRunsOf(runner, projects, cursor, PAGE),
    );
    await Promise.all(
      page.map((run) =>
        parts.control.add({
          kind: "run",
          projectId: run.project_id,
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

// Webhooks of several projects on one server: endpoints that take their time keep nobody else's
// events waiting, however many of them there are.

import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { must } from "../http/scene.ts";
import { newRunOf, origin } from "./fixtures.ts";
import { useReceivers } from "./receiver.ts";
import type { Receiver } from "./receiver.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const receiver = useReceivers();
const SLOW_WEBHOOKS = 40;
const RUNS = 8;

async function hook(projectId: string, at: Receiver): Promise<void> {
  const input = { url: at.url, allow_private: true, types: ["run.submitted"] };
  must(await stage.engine.createWebhook(projectId, { input, owner: true, origin }));
}

test("a project whose endpoints hang leaves tries to others, and warns nobody", async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", onWarning);
  const [slow, quick] = [await stage.project(), await stage.project()];
  const [hangs, answers] = [await receiver(), await receiver()];
  const held: ServerResponse[] = [];
  hangs.answer = () => (response) => void held.push(response);
  for (let n = 0; n < SLOW_WEBHOOKS; n += 1) await hook(slow, hangs);
  await hook(quick, answers);
  const arrived = new Promise<void>((resolve) => {
    answers.answer = () => {
      resolve();
      return 204;
    };
  });
  await stage.engine.submit(
    slow,
    Array.from({ length: RUNS }, () => newRunOf()),
    origin,
  );
  await stage.engine.submit(quick, [newRunOf()], origin);
  const round = stage.engine.parts.deliveries().once();
  await Promise.race([arrived, round]);
  expect(answers.got).toHaveLength(1);
  hangs.answer = () => 204;
  for (const response of held) response.writeHead(204).end();
  await round;
  process.off("warning", onWarning);
  expect(hangs.got).toHaveLength(64);
  expect(warnings).toEqual([]);
});

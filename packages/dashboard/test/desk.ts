// What an administrator's screens show: keys, webhooks whose receiver answers, one that fails.
// Promises: made through the SDK alone; nothing is sent beyond this machine; `end` closes the
// receiver.
// Leaves to others: the server (`stage.ts`), runs and agents (`fleet.ts`).

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Signalbox } from "@signalbox/sdk";
import type { Delivery } from "@signalbox/sdk";
import type { Stage } from "./stage.ts";

export type Desk = {
  /** Id of the webhook whose receiver answers. */
  readonly webhook: string;
  /** Types of events that arrived at the receiver, in their order. */
  readonly arrived: readonly string[];
  /** What the receiver answers from now on. */
  readonly answer: (status: number, text: string) => void;
  readonly url: string;
  readonly endDesk: () => Promise<void>;
};

export async function setDesk(stage: Stage): Promise<Desk> {
  const arrived: string[] = [];
  let [status, text] = [200, "thanks"];
  const receiver = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      arrived.push((JSON.parse(Buffer.concat(parts).toString()) as { type: string }).type);
      response.writeHead(status).end(text);
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { port } = receiver.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/hook`;
  // Only the owner may let a webhook reach this machine.
  const owner = new Signalbox({ url: stage.url, key: stage.scene.keys.owner });
  const to = { url, allow_private: true, types: ["queue.*"] };
  const { id } = await owner.webhooks.create({ ...to, description: "to the team's chat" });
  const { id: test } = await stage.client.webhooks.test(id);
  await untilDelivery(stage.client, id, (one) => one.id === test && one.state === "delivered");
  const day = new Date(Date.now() + 3 * 86_400_000).toISOString();
  await stage.client.keys.create({ name: "build-7", roles: ["submitter"] });
  await stage.client.keys.create({ name: "visitor", roles: ["viewer"], expires_at: day });
  const agents = ["reviewer", "fixer"];
  await stage.client.keys.create({ name: "host-1", roles: ["worker"], agents });
  const { id: old } = await stage.client.keys.create({ name: "old-build", roles: ["submitter"] });
  await stage.client.keys.revoke(old);
  return {
    webhook: id,
    arrived,
    url,
    answer: (...next) => ([status, text] = next),
    endDesk: async () => {
      receiver.closeAllConnections();
      await new Promise((resolve) => receiver.close(resolve));
    },
  };
}

/** Waits for a delivery of this webhook. */
export async function untilDelivery(
  client: Signalbox,
  webhook: string,
  isWanted: (delivery: Delivery) => boolean,
): Promise<Delivery> {
  const end = performance.now() + 20_000;
  for (;;) {
    const { items } = await client.webhooks.deliveries(webhook, { limit: 100 });
    const found = items.find(isWanted);
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`not among ${JSON.stringify(items)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Sending all deliveries once more that were given up.
// Promises: they are counted before the button that does it can be pressed; at most 500 at a time,
// oldest first, four under way at once; what was refused meanwhile is counted too.
// Leaves to others: one delivery (`deliveries.tsx`).

import type { Signalbox, Webhook } from "@signalbox/sdk";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { adviceOn } from "../../parts/advice.ts";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { useSignedIn } from "../../session.ts";
import { useAskAgainSoon } from "./ask-again.ts";

const MOST = 500;
const AT_ONCE = 4;

async function failedOf(client: Signalbox, webhookId: string): Promise<string[]> {
  const ids: string[] = [];
  const query = { state: "failed", limit: 100 } as const;
  for await (const { id } of client.webhooks.iterateDeliveries(webhookId, query)) {
    ids.push(id);
    if (ids.length === MOST) break;
  }
  return ids;
}

/** Returns how many were refused. */
async function redeliverAll(client: Signalbox, ids: readonly string[]): Promise<number> {
  // Newest first as they were listed: from the end, so that the oldest goes first.
  const left = [...ids];
  let refused = 0;
  const lane = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      await client.webhooks.redeliver(id).catch(() => (refused += 1));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return refused;
}

export function RedeliverFailed({ webhook }: { readonly webhook: Webhook }) {
  const { client } = useSignedIn();
  const askAgain = useAskAgainSoon();
  const [failed, setFailed] = useState<readonly string[] | null>(null);
  const [isCounting, setCounting] = useState(false);
  const redeliver = useAction<readonly string[]>({
    act: async (signalbox, ids) => {
      const refused = await redeliverAll(signalbox, ids);
      askAgain();
      if (refused > 0) throw new Error(`${refused} of ${ids.length} were refused; try again`);
    },
    changes: ["webhooks"],
    done: (ids) => `${ids.length} deliveries are sent once more`,
    saysRefusals: true,
  });
  const count = async (): Promise<void> => {
    setCounting(true);
    try {
      setFailed(await failedOf(client, webhook.id));
    } catch (error) {
      const { title, advice } = adviceOn(error);
      notifications.show({ title, message: advice, color: "red" });
    }
    setCounting(false);
  };
  const n = failed?.length ?? 0;
  return (
    <>
      <ActButton
        needs="administer"
        size="compact-sm"
        variant="default"
        loading={isCounting}
        onClick={() => void count()}
      >
        Redeliver all given up …
      </ActButton>
      {failed === null ? null : (
        <FormDialog
          title={`Redeliver ${n}${n === MOST ? " or more" : ""} deliveries`}
          go={`Redeliver ${n}`}
          ready={n > 0}
          close={() => setFailed(null)}
          act={() => redeliver.mutateAsync(failed)}
        >
          {n === 0
            ? "No delivery was given up: there is nothing to send once more."
            : "Each is sent at once under the id it had, oldest first, and says so where later " +
              `ones have arrived before it. At most ${MOST} at a time.`}
        </FormDialog>
      )}
    </>
  );
}

// Webhooks: where events are sent, which of them arrive, and making one.
// Promises: those that need somebody first; the secret of a new one is shown once.
// Leaves to others: one webhook and its deliveries (`webhook-page.tsx`).

import type { Webhook, WebhookInput, WebhookWithSecret } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useWebhooks } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Copyable } from "../../parts/copyable.tsx";
import { Go } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { SecretDialog } from "../../parts/secret-dialog.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { webhookLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";
import { WebhookForm } from "./webhook-form.tsx";
import { lagText, stateOf, wantsText, webhookPath } from "./webhook-words.ts";

const order = ["failing", "disabled", "sending"] as const;

export function WebhooksPage() {
  const asked = useWebhooks();
  return (
    <Page title="Webhooks" actions={<NewWebhook />}>
      <Show asked={asked} rows={3}>
        {(webhooks) =>
          webhooks.length === 0 ? (
            <Empty
              title="No webhook yet"
              command="signalbox webhooks add https://example.org/hook --type 'run.*'"
            >
              Events are posted to an address of yours, signed, at least once and in order per run.
              Make one above, or in a terminal:
            </Empty>
          ) : (
            <Webhooks webhooks={webhooks} />
          )
        }
      </Show>
    </Page>
  );
}

function Webhooks({ webhooks }: { readonly webhooks: readonly Webhook[] }) {
  const sorted = webhooks.toSorted((a, b) => order.indexOf(stateOf(a)) - order.indexOf(stateOf(b)));
  return (
    <Table
      name="All webhooks"
      heads={["Endpoint", "State", "Events", "Waiting", "Failing since", "Made"]}
      figures={[3]}
      rows={sorted.map((webhook) => ({
        key: webhook.id,
        cells: [
          <span key="url" className="sb-roomy">
            <Go to={webhookPath(webhook.id)}>
              <Plain text={webhook.url} />
            </Go>
            {webhook.description === null ? null : (
              <p className="sb-dim sb-small">
                <Plain text={webhook.description} />
              </p>
            )}
          </span>,
          <StateBadge key="state" look={webhookLooks[stateOf(webhook)]} />,
          <Plain key="wants" text={wantsText(webhook)} />,
          lagText(webhook),
          webhook.failing_since === null ? "–" : <When key="failing" at={webhook.failing_since} />,
          <When key="made" at={webhook.created_at} />,
        ],
      }))}
    />
  );
}

function NewWebhook() {
  const [isAsked, ask] = useState(false);
  const [made, setMade] = useState<WebhookWithSecret | null>(null);
  const create = useAction<WebhookInput>({
    act: async (client, input) => setMade(await client.webhooks.create(input)),
    changes: ["webhooks"],
    done: ({ url }) => `Events go to ${url} from now on`,
    saysRefusals: true,
  });
  return (
    <>
      <ActButton needs="administer" size="xs" onClick={() => ask(true)}>
        New webhook …
      </ActButton>
      {isAsked ? (
        <WebhookForm
          title="New webhook"
          go="Make it"
          close={() => ask(false)}
          act={(input) => create.mutateAsync(input)}
        />
      ) : null}
      {made === null ? null : (
        <SecretDialog
          title="Secret of the webhook"
          secret={made.secret}
          close={() => setMade(null)}
        >
          <p>
            The receiver checks with it that a delivery comes from here. Then send a test from the
            webhook's page, or:
          </p>
          <Copyable text={`signalbox webhooks test ${made.id}`} what="the command" />
        </SecretDialog>
      )}
    </>
  );
}

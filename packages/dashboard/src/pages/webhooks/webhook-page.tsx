// One webhook: how it is, what can be done with it, and its deliveries.
// Promises: a webhook that fails or is disabled says since when, why, and what helps.
// Leaves to others: acts (`webhook-acts.tsx`), deliveries (`deliveries.tsx`).

import type { Webhook } from "@signalbox/sdk";
import { useParams } from "@tanstack/react-router";
import { useWebhook } from "../../api.ts";
import { Fact, Facts } from "../../parts/facts.tsx";
import { Go } from "../../parts/go.tsx";
import { Page, Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { webhookLooks } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { Deliveries } from "./deliveries.tsx";
import { WebhookActs } from "./webhook-acts.tsx";
import { lagText, stateOf, wantsText } from "./webhook-words.ts";

export function WebhookPage() {
  const { id = "" } = useParams({ strict: false });
  const asked = useWebhook(id);
  const { data } = asked;
  return (
    <Page
      title="Webhook"
      note={<Go to="/webhooks">All webhooks</Go>}
      actions={data === undefined ? null : <WebhookActs webhook={data} />}
    >
      <Show asked={asked} rows={3} height={64}>
        {(webhook) => (
          <>
            <Trouble webhook={webhook} />
            <About webhook={webhook} />
            <Section title="Deliveries" note="Kept for 30 days">
              <Deliveries webhook={webhook} />
            </Section>
          </>
        )}
      </Show>
    </Page>
  );
}

function Trouble({ webhook }: { readonly webhook: Webhook }) {
  const { disabled_at: at, disabled_reason: reason, failing_since: since } = webhook;
  if (at !== null) {
    return (
      <div className="sb-note sb-amber" role="status">
        <strong>Disabled</strong> <When at={at} />: <Plain text={reason ?? "no reason"} />. Nothing
        is sent until somebody enables it; what happens meanwhile is sent then, or skipped.
      </div>
    );
  }
  if (since === null) return null;
  return (
    <div className="sb-note sb-red" role="status">
      <strong>Nothing has arrived</strong> for a while: failing since <When at={since} />. Tries go
      on, ever more seldom; after 24 hours it is disabled. What the receiver answered stands with
      each delivery below.
    </div>
  );
}

function About({ webhook }: { readonly webhook: Webhook }) {
  const { previous_secret_until: until } = webhook;
  return (
    <Facts>
      <Fact name="Endpoint" wide>
        <Plain text={webhook.url} />
      </Fact>
      <Fact name="State">
        <StateBadge look={webhookLooks[stateOf(webhook)]} />
      </Fact>
      <Fact name="Events">
        <Plain text={wantsText(webhook)} />
      </Fact>
      <Fact name="Waiting">{lagText(webhook)}</Fact>
      <Fact name="Made">
        <When at={webhook.created_at} />
      </Fact>
      {webhook.description === null ? null : (
        <Fact name="Description" wide>
          <Plain text={webhook.description} />
        </Fact>
      )}
      {webhook.allow_private ? <Fact name="Private addresses">allowed</Fact> : null}
      {until === null || Date.parse(until) < Date.now() ? null : (
        <Fact name="Old secret signs along">
          until <When at={until} />
        </Fact>
      )}
    </Facts>
  );
}

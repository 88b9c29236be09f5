// What can be done with a webhook: test, edit, rotate, switch off and on, delete.
// Promises: each says what will happen before it does; a new secret is shown once; deleting wants
// the host's name typed, since what was not delivered is lost.
// Leaves to others: doing it (server), redelivering (`deliveries.tsx`).

import { Checkbox, NativeSelect, TextInput } from "@mantine/core";
import type { Webhook, WebhookInput } from "@signalbox/sdk";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { overlaps, OVERLAP_DAY } from "../../parts/overlaps.ts";
import { SecretDialog } from "../../parts/secret-dialog.tsx";
import { useAskAgainSoon } from "./ask-again.ts";
import { WebhookForm } from "./webhook-form.tsx";

type Props = { readonly webhook: Webhook };
type DialogProps = Props & { readonly close: () => void };
type Asked = "edit" | "rotate" | "disable" | "enable" | "delete" | null;

const changes = ["webhooks", "audit"] as const;
const button = { needs: "administer", size: "xs", variant: "default" } as const;

export function WebhookActs({ webhook }: Props) {
  const [asked, ask] = useState<Asked>(null);
  const close = (): void => ask(null);
  const isDisabled = webhook.disabled_at !== null;
  return (
    <>
      <TestButton webhook={webhook} />
      <ActButton {...button} onClick={() => ask("edit")}>
        Edit …
      </ActButton>
      <ActButton {...button} onClick={() => ask("rotate")}>
        Rotate secret …
      </ActButton>
      <ActButton {...button} onClick={() => ask(isDisabled ? "enable" : "disable")}>
        {isDisabled ? "Enable …" : "Disable …"}
      </ActButton>
      <ActButton {...button} color="red" variant="outline" onClick={() => ask("delete")}>
        Delete …
      </ActButton>
      {asked === "edit" ? <Edit webhook={webhook} close={close} /> : null}
      <Rotate webhook={webhook} isAsked={asked === "rotate"} close={close} />
      {asked === "disable" ? <Disable webhook={webhook} close={close} /> : null}
      {asked === "enable" ? <Enable webhook={webhook} close={close} /> : null}
      {asked === "delete" ? <Delete webhook={webhook} close={close} /> : null}
    </>
  );
}

function TestButton({ webhook }: Props) {
  const askAgain = useAskAgainSoon();
  const test = useAction<null>({
    act: async (client) => {
      await client.webhooks.test(webhook.id);
      askAgain();
    },
    changes: ["webhooks"],
    done: () => "A webhook.test is on its way: its delivery is the first of the list",
  });
  return (
    <ActButton {...button} loading={test.isPending} onClick={() => test.mutate(null)}>
      Send a test
    </ActButton>
  );
}

function Edit({ webhook, close }: DialogProps) {
  const edit = useAction<WebhookInput>({
    act: (client, input) => client.webhooks.update(webhook.id, input),
    changes,
    done: () => "The webhook is changed",
    saysRefusals: true,
  });
  return (
    <WebhookForm
      title="Edit the webhook"
      go="Change it"
      webhook={webhook}
      close={close}
      act={(input) => edit.mutateAsync(input)}
    />
  );
}

function Rotate({ webhook, isAsked, close }: DialogProps & { readonly isAsked: boolean }) {
  const [overlap, setOverlap] = useState(OVERLAP_DAY);
  const [secret, setSecret] = useState<string | null>(null);
  const rotate = useAction<null>({
    act: async (client) => {
      const how = { overlap_s: Number(overlap) };
      setSecret((await client.webhooks.rotate(webhook.id, how)).secret);
    },
    changes,
    done: () => "The webhook has a new secret",
    saysRefusals: true,
  });
  return (
    <>
      {isAsked ? (
        <FormDialog
          title="Rotate the secret"
          go="Make a new secret"
          close={close}
          act={() => rotate.mutateAsync(null)}
        >
          <p>
            Deliveries are signed with the new secret from now on, and with the old one as well for
            as long as you choose.
          </p>
          <NativeSelect
            label="The old secret signs along for"
            value={overlap}
            data={overlaps.filter(({ value }) => Number(value) <= 7 * 86_400)}
            onChange={(event) => setOverlap(event.currentTarget.value)}
          />
        </FormDialog>
      ) : null}
      {secret === null ? null : (
        <SecretDialog
          title="New secret of the webhook"
          secret={secret}
          close={() => setSecret(null)}
        >
          Put it into the receiver before the old one ends.
        </SecretDialog>
      )}
    </>
  );
}

function Disable({ webhook, close }: DialogProps) {
  const disable = useAction<string>({
    act: (client, reason) => client.webhooks.disable(webhook.id, { reason }),
    changes,
    done: () => "The webhook is disabled",
  });
  return (
    <AskReason
      title="Disable the webhook"
      go="Disable it"
      close={close}
      act={(reason) => disable.mutate(reason)}
    >
      Nothing is sent until it is enabled again. What happens meanwhile is kept for it.
    </AskReason>
  );
}

function Enable({ webhook, close }: DialogProps) {
  const [skips, setSkips] = useState(false);
  const enable = useAction<null>({
    act: (client) => client.webhooks.enable(webhook.id, { skip_missed: skips }),
    changes,
    done: () => "The webhook sends again",
    saysRefusals: true,
  });
  return (
    <FormDialog
      title="Enable the webhook"
      go="Enable it"
      close={close}
      act={() => enable.mutateAsync(null)}
    >
      <p>
        It goes on where it stopped: {webhook.pending} deliveries wait, and events since then
        follow.
      </p>
      <Checkbox
        label="Skip what was missed, begin with the next event"
        checked={skips}
        onChange={(event) => setSkips(event.currentTarget.checked)}
      />
    </FormDialog>
  );
}

function hostOf(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return url;
  }
}

function Delete({ webhook, close }: DialogProps) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const host = hostOf(webhook.url);
  const remove = useAction<null>({
    act: (client) => client.webhooks.delete(webhook.id),
    changes,
    done: () => `Nothing is sent to ${host} any more`,
    saysRefusals: true,
  });
  return (
    <FormDialog
      title="Delete the webhook"
      go="Delete it"
      dangerous
      ready={typed.trim() === host}
      close={close}
      act={async () => {
        await remove.mutateAsync(null);
        await navigate({ to: "/webhooks" });
      }}
    >
      <p>
        {webhook.pending === 0
          ? "Everything that it wanted has arrived. "
          : `${webhook.pending} deliveries that have not arrived are given up. `}
        The list of those that have is gone too. This cannot be undone.
      </p>
      <TextInput
        label={`Type ${host} to delete it`}
        data-autofocus
        autoComplete="off"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

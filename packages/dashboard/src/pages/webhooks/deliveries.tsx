// The deliveries of a webhook: what was sent, what the receiver said, and sending it once more.
// Promises: newest first, by state; a failed one shows its answer; many are counted before they are
// sent again.
// Leaves to others: when a try is made (server).

import type { Delivery, DeliveryState, Webhook } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Older } from "../../parts/older.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Waiting, Wrong } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { deliveryLooks, durationText } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { useNow, When } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";
import { useAskAgainSoon } from "./ask-again.ts";
import { RedeliverFailed } from "./redeliver-failed.tsx";
import { webhookPath } from "./webhook-words.ts";
import { RunLink } from "../../parts/go.tsx";

const PAGE = 50;
const EVERY_MS = 10_000;
const states: readonly DeliveryState[] = ["pending", "failed", "delivered"];

function useChosenState(): DeliveryState | null {
  const { state }: { state?: unknown } = useSearch({ strict: false });
  return states.find((one) => one === state) ?? null;
}

export function Deliveries({ webhook }: { readonly webhook: Webhook }) {
  const state = useChosenState();
  return (
    <>
      <div className="sb-row sb-between">
        <Choice webhook={webhook} chosen={state} />
        <RedeliverFailed webhook={webhook} />
      </div>
      <List key={`${webhook.id} ${state}`} webhook={webhook} state={state} />
    </>
  );
}

type ChoiceProps = { readonly webhook: Webhook; readonly chosen: DeliveryState | null };

function Choice({ webhook, chosen }: ChoiceProps) {
  const navigate = useNavigate();
  return (
    <div className="sb-row" role="group" aria-label="Deliveries by state">
      {states.map((state) => (
        <button
          key={state}
          type="button"
          className="sb-chip"
          aria-pressed={chosen === state}
          onClick={() =>
            void navigate({
              to: webhookPath(webhook.id),
              search: chosen === state ? {} : { state },
              replace: true,
            })
          }
        >
          <StateBadge look={deliveryLooks[state]} />
        </button>
      ))}
    </div>
  );
}

type ListProps = { readonly webhook: Webhook; readonly state: DeliveryState | null };

function List({ webhook, state }: ListProps) {
  const { client, number } = useSignedIn();
  const asked = useInfiniteQuery({
    queryKey: [number, "webhooks", webhook.id, "deliveries", state],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      client.webhooks.deliveries(webhook.id, {
        limit: PAGE,
        ...(state === null ? {} : { state }),
        ...(pageParam === "" ? {} : { cursor: pageParam }),
      }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: EVERY_MS,
  });
  if (asked.data === undefined) {
    if (asked.isError) return <Wrong error={asked.error} again={() => void asked.refetch()} />;
    return <Waiting rows={4} />;
  }
  const deliveries = asked.data.pages.flatMap(({ items }) => items);
  if (deliveries.length === 0) {
    return state === null ? (
      <Empty title="Nothing sent yet" command={`signalbox webhooks test ${webhook.id}`}>
        The next event that it wants is the first. A test needs no event:
      </Empty>
    ) : (
      <Empty title={`No delivery is ${deliveryLooks[state].word}`} />
    );
  }
  return (
    <>
      <Table
        name="List of deliveries"
        heads={["State", "Event", "Of", "Made", "Tries", "Answer", "Took", "Next try", "Actions"]}
        figures={[4, 6]}
        rows={deliveries.map((delivery) => ({ key: delivery.id, cells: cellsOf(delivery) }))}
      />
      <Older shown={deliveries.length} asked={asked} />
    </>
  );
}

function cellsOf(delivery: Delivery) {
  const { state, aside, type, tries, created_at: at, took_ms: took } = delivery;
  const isAside = state === "pending" && aside;
  return [
    <StateBadge key="state" look={deliveryLooks[isAside ? "aside" : state]} />,
    <span key="type">
      <code title={delivery.id}>
        <Plain text={type} />
      </code>
      {delivery.out_of_order ? <span className="sb-dim sb-small"> out of order</span> : null}
    </span>,
    <Of key="of" delivery={delivery} />,
    <When key="at" at={at} />,
    tries,
    <Answer key="answer" delivery={delivery} />,
    took === null ? "–" : durationText(took),
    <NextTry key="next" delivery={delivery} />,
    <Redeliver key="act" delivery={delivery} />,
  ];
}

function NextTry({ delivery }: { readonly delivery: Delivery }) {
  const now = useNow();
  const { state, next_try_at: at } = delivery;
  if (state !== "pending") return "–";
  if (at === null) return "after an earlier one";
  return Date.parse(at) <= now ? "now" : <When at={at} />;
}

function Of({ delivery }: { readonly delivery: Delivery }) {
  const { stream, stream_id: id, seq } = delivery;
  if (stream === null || id === null) return "–";
  if (stream === "run") {
    return (
      <>
        <RunLink id={id} /> <span className="sb-dim sb-small sb-num">#{seq}</span>
      </>
    );
  }
  return (
    <span title={id}>
      {stream} <span className="sb-dim sb-small sb-num">#{seq}</span>
    </span>
  );
}

function Answer({ delivery }: { readonly delivery: Delivery }) {
  const { status, error, excerpt, last_try_at: at } = delivery;
  const short = status === null ? (error ?? "–") : String(status);
  if (at === null) return "–";
  if (excerpt === null && error === null) return <span className="sb-num">{short}</span>;
  return (
    <details className="sb-more-details">
      <summary className="sb-num">
        <Plain text={short.slice(0, 60)} />
      </summary>
      <p className="sb-dim sb-small">
        Tried <When at={at} />
      </p>
      {error === null ? null : (
        <p>
          <Plain text={error} />
        </p>
      )}
      {excerpt === null ? null : (
        <pre tabIndex={0} aria-label="What the receiver answered">
          <Plain text={excerpt} />
        </pre>
      )}
    </details>
  );
}

function Redeliver({ delivery }: { readonly delivery: Delivery }) {
  const askAgain = useAskAgainSoon();
  const redeliver = useAction<null>({
    act: async (client) => {
      await client.webhooks.redeliver(delivery.id);
      askAgain();
    },
    changes: ["webhooks"],
    done: () => `${delivery.type} is sent once more, under the same id`,
  });
  return (
    <ActButton
      needs="administer"
      size="compact-sm"
      variant="default"
      loading={redeliver.isPending}
      aria-label={`Redeliver ${delivery.type} ${delivery.id.slice(-6)}`}
      onClick={() => redeliver.mutate(null)}
    >
      Redeliver
    </ActButton>
  );
}

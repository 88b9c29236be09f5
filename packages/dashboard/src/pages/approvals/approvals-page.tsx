// The inbox: what waits for an answer of a person, and what was answered.
// Promises: the view, the question and the filter stand in the address; live.
// Leaves to others: the list beside the question (`inbox.tsx`), answering (`answer-dialog.tsx`).

import { NativeSelect, Switch } from "@mantine/core";
import type { Approval } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useAsked, useWaitingApprovals } from "../../api.ts";
import { FilterField } from "../../parts/filter-field.tsx";
import { Page } from "../../parts/page.tsx";
import { Empty, Show, Waiting, Wrong } from "../../parts/quiet.tsx";
import { riskLooks } from "../../parts/states.ts";
import { useSignedIn } from "../../session.ts";
import { chooseNotify, useNotify } from "../../shell/notify.ts";
import type { Notify } from "../../shell/notify.ts";
import { filterOf, useChosen } from "./chosen.ts";
import type { Chosen } from "./chosen.ts";
import { Inbox } from "./inbox.tsx";

export function ApprovalsPage() {
  const { chosen } = useChosen();
  const { data } = useWaitingApprovals();
  const n = data?.items.length ?? 0;
  const count = data?.has_more === true ? `${n} and more wait` : n === 1 ? "1 waits" : `${n} wait`;
  return (
    <Page
      title="Approvals"
      note={<span className="sb-num">{data === undefined ? "" : count}</span>}
      actions={<NotifySwitch />}
    >
      <Bar chosen={chosen} />
      {chosen.view === "history" ? <History chosen={chosen} /> : <Pending chosen={chosen} />}
    </Page>
  );
}

const reasons: Readonly<Partial<Record<Notify, string>>> = {
  unable: "Needs HTTPS, or the server's own machine",
  refused: "Refused in the browser's settings of this site",
};

function NotifySwitch() {
  const notify = useNotify();
  return (
    <Switch
      size="xs"
      label="Notify me when I look elsewhere"
      description={reasons[notify]}
      checked={notify === "on"}
      disabled={reasons[notify] !== undefined}
      onChange={(event) => void chooseNotify(event.currentTarget.checked)}
    />
  );
}

const risks = [
  { value: "", label: "Any risk" },
  ...Object.entries(riskLooks).map(([value, { word }]) => ({ value, label: word })),
];

const views = [
  ["Waiting", undefined],
  ["History", "history"],
] as const;

function Bar({ chosen }: { readonly chosen: Chosen }) {
  const { choose } = useChosen();
  const { view, risk = "", agent = "" } = chosen;
  const filter = { ...(risk && { risk }), ...(agent && { agent }) };
  const set = (changed: Chosen): void =>
    choose({ ...filter, ...(view && { view }), ...changed }, true);
  return (
    <div className="sb-row">
      <div className="sb-row" role="group" aria-label="Which approvals">
        {views.map(([word, name]) => (
          <button
            key={word}
            type="button"
            className="sb-switch"
            aria-pressed={view === name}
            onClick={() => choose({ ...filter, ...(name && { view: name }) }, true)}
          >
            {word}
          </button>
        ))}
      </div>
      <NativeSelect
        size="xs"
        aria-label="Risk"
        data={risks}
        value={risk}
        onChange={(event) => set({ risk: event.currentTarget.value })}
      />
      <FilterField label="Agent" isFirst value={agent} set={(name) => set({ agent: name })} />
    </div>
  );
}

const ASK =
  "signalbox run -- signalbox approvals ask --title 'Merge it?' --action merge " +
  `--arguments '{"pr":42}'`;

function Pending({ chosen }: { readonly chosen: Chosen }) {
  const filter = filterOf(chosen);
  const isFiltered = Object.keys(filter).length > 0;
  const asked = useAsked({
    of: ["approvals", "waiting", ...(isFiltered ? [filter] : [])],
    ask: (client) => client.approvals.list({ ...filter, status: "pending", limit: 100 }),
  });
  return (
    <Show asked={asked} rows={6} height={72}>
      {({ items, has_more: more }) =>
        items.length === 0 && chosen.id === undefined ? (
          <NothingWaits isFiltered={isFiltered} />
        ) : (
          <Inbox
            approvals={items}
            foot={
              more ? "The 100 that have waited longest; others follow as these are answered." : ""
            }
          />
        )
      }
    </Show>
  );
}

function NothingWaits({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) {
    return <Empty title="Nothing like that waits">Clear the filter, or wait: it is live.</Empty>;
  }
  return (
    <Empty title="Nothing waits for an answer" command={ASK}>
      An agent asks before it does what a person has to allow. See one come, in a terminal on this
      machine:
    </Empty>
  );
}

const PAGE = 50;

function History({ chosen }: { readonly chosen: Chosen }) {
  const { client, number } = useSignedIn();
  const filter = filterOf(chosen);
  const asked = useInfiniteQuery({
    queryKey: [number, "approvals", "history", filter],
    initialPageParam: "",
    queryFn: ({ pageParam: cursor }) =>
      client.approvals.list({ ...filter, order: "desc", limit: PAGE, ...(cursor && { cursor }) }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 30_000,
  });
  if (asked.isError && asked.data === undefined) {
    return <Wrong error={asked.error} again={() => void asked.refetch()} />;
  }
  if (asked.data === undefined) return <Waiting rows={6} height={72} />;
  const decided = asked.data.pages
    .flatMap(({ items }): Approval[] => items)
    .filter(({ status }) => status !== "pending");
  if (decided.length === 0 && !asked.hasNextPage && chosen.id === undefined) {
    return (
      <Empty title="Nothing was answered yet">What is decided stays here, with who and why.</Empty>
    );
  }
  const older = (
    <button type="button" className="sb-more" onClick={() => void asked.fetchNextPage()}>
      {asked.isFetchingNextPage ? "Reading …" : "Older"}
    </button>
  );
  return <Inbox approvals={decided} foot={asked.hasNextPage ? older : "That is all."} />;
}

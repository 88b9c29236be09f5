// The runs: counts, filters that stand in the address, a list of any length, and bulk cancel.
// Promises: only rows in sight are drawn; the next page is asked for when its place comes into
// sight; nothing is cancelled before its number has been said.
// Leaves to others: the rows (`run-table.tsx`), the fields (`filter-bar.tsx`).

import type { RunSummary } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Page } from "../../parts/page.tsx";
import { Empty, Waiting, Wrong } from "../../parts/quiet.tsx";
import { useSignedIn } from "../../session.ts";
import { BulkBar } from "./bulk-bar.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { filterOf, useChosen } from "./filter.ts";
import type { Chosen } from "./filter.ts";
import { RunTable } from "./run-table.tsx";

const PAGE = 100;

export function RunsPage() {
  const { chosen, choose } = useChosen();
  return (
    <Page title="Runs">
      <FilterBar chosen={chosen} choose={choose} />
      <Listed key={JSON.stringify(chosen)} chosen={chosen} />
    </Page>
  );
}

function Listed({ chosen }: { readonly chosen: Chosen }) {
  const { client, number } = useSignedIn();
  const [selected, select] = useState<ReadonlySet<string>>(new Set());
  const asked = useInfiniteQuery({
    queryKey: [number, "runs", "list", chosen],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      client.runs.list({
        ...filterOf(chosen),
        limit: PAGE,
        ...(pageParam === "" ? {} : { cursor: pageParam }),
      }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 30_000,
  });
  if (asked.isError && asked.data === undefined) {
    return <Wrong error={asked.error} again={() => void asked.refetch()} />;
  }
  if (asked.data === undefined) return <Waiting rows={12} height={32} />;
  const runs: RunSummary[] = asked.data.pages.flatMap(({ items }) => items);
  if (runs.length === 0 && asked.hasNextPage) return <LookOn asked={asked} />;
  if (runs.length === 0) return <NoRuns isFiltered={Object.keys(chosen).length > 0} />;
  return (
    <>
      <BulkBar chosen={chosen} selected={selected} clear={() => select(new Set())} />
      <RunTable
        runs={runs}
        selected={selected}
        select={select}
        more={() => {
          if (asked.hasNextPage && !asked.isFetching) void asked.fetchNextPage();
        }}
      />
      <p className="sb-dim sb-small sb-num" aria-live="polite">
        {runs.length} shown{asked.hasNextPage ? ", more below" : ", that is all"}
      </p>
    </>
  );
}

type LookOnProps = {
  readonly asked: Pick<UseInfiniteQueryResult, "fetchNextPage" | "isFetching">;
};

/** The filters meet so seldom that a page found nothing: the next one is asked for by itself. */
function LookOn({ asked: { fetchNextPage, isFetching } }: LookOnProps) {
  useEffect(() => {
    if (!isFetching) void fetchNextPage();
  }, [fetchNextPage, isFetching]);
  return <p role="status">None among the newest; looking at older ones …</p>;
}

function NoRuns({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) {
    return <Empty title="No run is like that">Clear a filter, or wait: the list is live.</Empty>;
  }
  return (
    <Empty title="No run yet" command="signalbox run -- sh -c 'echo hello'">
      Submit one and do it here, in a terminal on this machine:
    </Empty>
  );
}

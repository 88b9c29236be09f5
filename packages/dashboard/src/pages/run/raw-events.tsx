// The events of a run as they are, newest first, a page at a time.
// Promises: what is shown is what the server has, whole, each as JSON that can be copied; new ones
// are told of and shown when asked; all of them can be had as a file.
// Leaves to others: lines for reading (`log.tsx`).

import { Button } from "@mantine/core";
import type { Json } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { plain } from "../../parts/plain.tsx";
import { Waiting, Wrong } from "../../parts/quiet.tsx";
import { numberText } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";
import { DownloadButton } from "./download.tsx";
import type { EventLog } from "./event-log.ts";
import { useLogView } from "./follow-run.ts";
import { Document } from "./tables.tsx";

const PAGE = 100;

type RawEventsProps = { readonly id: string; readonly log: EventLog };

export function RawEvents({ id, log }: RawEventsProps) {
  const { last } = useLogView(log);
  const { client, number } = useSignedIn();
  const asked = useInfiniteQuery({
    queryKey: [number, "run events", id],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      client.runs.events(id, {
        order: "desc",
        limit: PAGE,
        ...(pageParam === "" ? {} : { cursor: pageParam }),
      }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    staleTime: Infinity,
  });
  if (asked.data === undefined) {
    if (asked.isError) return <Wrong error={asked.error} again={() => void asked.refetch()} />;
    return <Waiting rows={6} height={28} />;
  }
  const events = asked.data.pages.flatMap(({ items }) => items);
  const missing = last - Number(events[0]?.seq ?? 0);
  return (
    <div className="sb-stack">
      <div className="sb-row">
        <Button
          size="compact-sm"
          variant="default"
          disabled={missing <= 0}
          loading={asked.isRefetching}
          onClick={() => void asked.refetch()}
        >
          {missing > 0 ? `Show ${numberText(missing)} new` : "Nothing new"}
        </Button>
        <DownloadButton id={id} form="jsonl" />
      </div>
      {events.map((event) => (
        <details key={event.seq} className="sb-raw">
          <summary>
            <code className="sb-num">{event.seq}</code> {plain(event.type)}{" "}
            <span className="sb-dim">
              <When at={event.at} /> · {event.source} · {plain(event.actor ?? "no actor")}
            </span>
          </summary>
          <Document value={event as unknown as Json} name={`event ${event.seq}`} />
        </details>
      ))}
      {asked.hasNextPage ? (
        <button
          type="button"
          className="sb-more"
          disabled={asked.isFetchingNextPage}
          onClick={() => void asked.fetchNextPage()}
        >
          {numberText(Number(events.at(-1)?.seq ?? 1) - 1)} older
        </button>
      ) : null}
    </div>
  );
}

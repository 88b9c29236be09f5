// The audit trail: who did what, when, to what and why, newest first.
// Promises: exact instants; who and what are buttons that filter by themselves; what another page
// of the trail holds is asked for when it is wanted.
// Leaves to others: the fields (`filter-bar.tsx`), files (`export.tsx`), keeping it (server).

import type { AuditEntry } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Needs } from "../../parts/act-button.tsx";
import { Older } from "../../parts/older.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Waiting, Wrong } from "../../parts/quiet.tsx";
import { Table } from "../../parts/table.tsx";
import { TargetLink } from "../../parts/target-link.tsx";
import { When } from "../../parts/when.tsx";
import { useMay, useSignedIn } from "../../session.ts";
import { Export } from "./export.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { filterOf, useChosen } from "./filter.ts";
import type { Chosen, Field } from "./filter.ts";

const PAGE = 50;

export function AuditPage() {
  const { chosen } = useChosen();
  const may = useMay("operate");
  return (
    <Page title="Audit" actions={may ? <Export chosen={chosen} /> : null}>
      <Needs permission="operate" what="The audit trail">
        <FilterBar />
        <Trail key={JSON.stringify(chosen)} chosen={chosen} />
      </Needs>
    </Page>
  );
}

function Trail({ chosen }: { readonly chosen: Chosen }) {
  const { client, number } = useSignedIn();
  const asked = useInfiniteQuery({
    queryKey: [number, "audit", chosen],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      client.audit.list({
        ...filterOf(chosen),
        limit: PAGE,
        ...(pageParam === "" ? {} : { cursor: pageParam }),
      }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 30_000,
  });
  if (asked.data === undefined) {
    if (asked.isError) return <Wrong error={asked.error} again={() => void asked.refetch()} />;
    return <Waiting rows={8} height={44} />;
  }
  const entries = asked.data.pages.flatMap(({ items }) => items);
  if (entries.length === 0) return <NoDeed isFiltered={Object.keys(chosen).length > 0} />;
  return (
    <>
      <Deeds entries={entries} />
      <Older shown={entries.length} asked={asked} />
    </>
  );
}

function NoDeed({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) {
    return <Empty title="Nobody did anything like that">Clear a filter, or widen the time.</Empty>;
  }
  return (
    <Empty
      title="Nobody has done anything yet"
      command="signalbox queues pause nightly --reason test"
    >
      What people do is listed here: pauses, stops, keys, approvals. Try it, then resume the queue:
    </Empty>
  );
}

function Deeds({ entries }: { readonly entries: readonly AuditEntry[] }) {
  return (
    <Table
      name="Deeds"
      heads={["When", "Who", "What", "To", "Why", "More"]}
      rows={entries.map((entry) => ({ key: entry.id, cells: cellsOf(entry) }))}
    />
  );
}

function cellsOf(entry: AuditEntry) {
  const { at, actor, actor_name: name, type, target, reason, data } = entry;
  return [
    <span key="when" className="sb-instant">
      <span className="sb-num">{at.replace("T", " ").replace(/\.\d+Z$/, " UTC")}</span>
      <span className="sb-dim sb-small">
        <When at={at} />
      </span>
    </span>,
    <Filter key="who" field="actor" value={actor}>
      <Plain text={name ?? actor} />
      {name === null ? null : (
        <span className="sb-dim sb-small sb-whole">
          <Plain text={actor} />
        </span>
      )}
    </Filter>,
    <Filter key="what" field="type" value={type}>
      <code>
        <Plain text={type} />
      </code>
    </Filter>,
    <TargetLink key="to" type={type} target={target} data={data} />,
    reason === null ? (
      <span key="why" className="sb-dim">
        –
      </span>
    ) : (
      <span key="why" className="sb-roomy">
        <Plain text={reason} />
      </span>
    ),
    <More key="more" entry={entry} />,
  ];
}

type FilterProps = {
  readonly field: Field;
  readonly value: string;
  readonly children: React.ReactNode;
};

/** Text that filters by itself. */
function Filter({ field, value, children }: FilterProps) {
  const { chosen, choose } = useChosen();
  const isChosen = chosen[field] === value;
  const says = isChosen ? "Show all again" : "Show only this";
  return (
    <button
      type="button"
      className="sb-text-button"
      title={says}
      aria-pressed={isChosen}
      onClick={() => choose({ [field]: isChosen ? undefined : value })}
    >
      {children}
    </button>
  );
}

function More({ entry }: { readonly entry: AuditEntry }) {
  const { request_id: request, feed, data } = entry;
  return (
    <details className="sb-more-details">
      <summary>Details</summary>
      <dl className="sb-pairs">
        <dt>Request</dt>
        <dd>
          <Plain text={request ?? "–"} />
        </dd>
        <dt>Feed</dt>
        <dd className="sb-num">{feed ?? "–"}</dd>
      </dl>
      <pre tabIndex={0} aria-label={`What ${entry.type} says`}>
        <Plain text={JSON.stringify(data, null, 2)} />
      </pre>
    </details>
  );
}

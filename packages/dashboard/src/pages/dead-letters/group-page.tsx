// One group of dead letters: the error they have in common, and each of its runs.
// Promises: a letter can be redriven or discarded alone, with others that are ticked, or with its
// whole group; those that were dealt with say by whom, why and what became of them.
// Leaves to others: the dialogs, the runs themselves (`pages/run/`).

import type { DeadLetter } from "@signalbox/sdk";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { Go } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Waiting, Wrong } from "../../parts/quiet.tsx";
import { numberText } from "../../parts/states.ts";
import { useSignedIn } from "../../session.ts";
import { bulkOf, filterOf, searchOf, useChosen } from "./chosen.ts";
import { GroupFacts, useGroups } from "./groups-page.tsx";
import { LetterActs, LetterDesk } from "./letter-acts.tsx";
import { LetterList } from "./letter-list.tsx";
import { LettersBar } from "./letters-bar.tsx";
import { lettersText } from "./which.ts";

const PAGE = 50;

export function GroupPage() {
  const { fingerprint = "" }: { fingerprint?: string } = useParams({ strict: false });
  const { chosen } = useChosen();
  const { data } = useGroups();
  const group = data?.items.find((one) => one.fingerprint === fingerprint);
  const count = group?.count ?? 0;
  const canAct = chosen.status === "open" && count > 0;
  return (
    <LetterDesk>
      <Page
        title={group === undefined ? "Dead letters of a group" : lettersText(count)}
        note={
          <Go to="/dead-letters" search={searchOf(chosen)}>
            ‹ All groups
          </Go>
        }
        actions={
          canAct ? (
            <LetterActs
              which={{ filter: bulkOf(chosen, fingerprint) }}
              what={`all ${numberText(count)}`}
            />
          ) : null
        }
      >
        <LettersBar />
        {group === undefined ? null : (
          <section className="sb-note sb-red sb-stack-s" aria-label="What they have in common">
            <strong className="sb-group-title">
              <Plain text={group.pattern || group.code} />
            </strong>
            <p className="sb-group-sample">
              <Plain text={(group.sample_message ?? "").slice(0, 2_000)} />
            </p>
            <GroupFacts group={group} />
          </section>
        )}
        <Letters key={`${fingerprint} ${chosen.status}`} fingerprint={fingerprint} />
      </Page>
    </LetterDesk>
  );
}

function Letters({ fingerprint }: { readonly fingerprint: string }) {
  const { client, number } = useSignedIn();
  const { chosen } = useChosen();
  const [ticked, tick] = useState<ReadonlySet<string>>(new Set());
  const filter = filterOf(chosen);
  const asked = useInfiniteQuery({
    queryKey: [number, "letters", "group", fingerprint, filter],
    initialPageParam: "",
    queryFn: ({ pageParam: cursor }) =>
      client.deadLetters.ofGroup(fingerprint, {
        ...filter,
        limit: PAGE,
        ...(cursor && { cursor }),
      }),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 30_000,
  });
  if (asked.isError && asked.data === undefined) {
    return <Wrong error={asked.error} again={() => void asked.refetch()} />;
  }
  if (asked.data === undefined) return <Waiting rows={6} height={56} />;
  const letters = asked.data.pages.flatMap(({ items }): DeadLetter[] => items);
  if (letters.length === 0) {
    return (
      <Empty title="None of this group stands so">
        They may have been dealt with: look at Redriven and Discarded above.
      </Empty>
    );
  }
  // What was dealt with meanwhile is not meant any more.
  const meant = letters.filter(({ run }) => ticked.has(run.id)).map(({ run }) => run.id);
  return (
    <>
      {chosen.status === "open" ? (
        <div className="sb-row">
          <span className="sb-num">{meant.length} selected</span>
          <LetterActs
            which={{ runs: meant }}
            what="selected"
            size="compact-sm"
            disabled={meant.length === 0}
          />
        </div>
      ) : null}
      <LetterList letters={letters} ticked={ticked} tick={tick} />
      <p className="sb-dim sb-small sb-num">
        {letters.length} shown
        {asked.hasNextPage ? (
          <button type="button" className="sb-more" onClick={() => void asked.fetchNextPage()}>
            Older
          </button>
        ) : (
          ", that is all"
        )}
      </p>
    </>
  );
}

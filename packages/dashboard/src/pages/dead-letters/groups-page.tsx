// Dead letters: runs that failed for good and wait for a person, by what their errors have in
// common.
// Promises: the group that grew last comes first; each says how many, since when, whose; live.
// Leaves to others: one group (`group-page.tsx`), redriving and discarding (the dialogs).

import type { DeadLetterGroup } from "@signalbox/sdk";
import { useAsked } from "../../api.ts";
import { Go } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { numberText } from "../../parts/states.ts";
import { When } from "../../parts/when.tsx";
import { bulkOf, filterOf, searchOf, useChosen } from "./chosen.ts";
import { LetterActs, LetterDesk } from "./letter-acts.tsx";
import { LettersBar } from "./letters-bar.tsx";
import { lettersText } from "./which.ts";

/** Groups on the screen; the rest is found by filtering. */
const MOST = 100;

export function useGroups() {
  const { chosen } = useChosen();
  const filter = filterOf(chosen);
  return useAsked({
    of: ["letters", "groups", filter],
    ask: (client) => client.deadLetters.list({ ...filter, limit: MOST }),
  });
}

export function GroupsPage() {
  const asked = useGroups();
  const items = asked.data?.items ?? [];
  const total = items.reduce((sum, { count }) => sum + count, 0);
  return (
    <Page title="Dead letters" note={asked.data === undefined ? "" : noteOf(items.length, total)}>
      <LettersBar />
      <LetterDesk>
        <Show asked={asked} rows={4} height={104}>
          {({ items: groups, has_more: more }) =>
            groups.length === 0 ? (
              <NoLetters />
            ) : (
              <>
                <ul className="sb-stack" aria-label="Groups of dead letters">
                  {groups.map((group) => (
                    <GroupCard key={group.fingerprint} group={group} />
                  ))}
                </ul>
                <p className="sb-dim sb-small">
                  {more
                    ? `The ${MOST} groups that grew last. Filter to see others.`
                    : "That is all."}
                </p>
              </>
            )
          }
        </Show>
      </LetterDesk>
    </Page>
  );
}

const noteOf = (groups: number, total: number): string =>
  groups === 0 ? "" : `${lettersText(total)} in ${groups} group${groups === 1 ? "" : "s"}`;

function GroupCard({ group }: { readonly group: DeadLetterGroup }) {
  const { chosen } = useChosen();
  const { fingerprint, code, pattern, count, sample_message: sample } = group;
  return (
    <li
      className="sb-card sb-group"
      data-item
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.target === event.currentTarget && event.key === "Enter") {
          event.currentTarget.querySelector("a")?.click();
        }
      }}
    >
      <div className="sb-group-count sb-num">
        <strong>{numberText(count)}</strong>
        <span className="sb-dim sb-small">{count === 1 ? "run" : "runs"}</span>
      </div>
      <div className="sb-stack-s sb-grow">
        <h2 className="sb-group-title">
          <Go to={`/dead-letters/${fingerprint}`} search={searchOf(chosen)}>
            <Plain text={(pattern || sample || code).slice(0, 300)} />
          </Go>
        </h2>
        {sample === null || sample === pattern ? null : (
          <p className="sb-small sb-group-sample">
            <Plain text={sample.slice(0, 400)} />
          </p>
        )}
        <GroupFacts group={group} />
      </div>
      {chosen.status === "open" ? (
        <div className="sb-row sb-group-acts">
          <LetterActs
            which={{ filter: bulkOf(chosen, fingerprint) }}
            what={count === 1 ? "" : `all ${numberText(count)}`}
            name={`of ${code}`}
            size="compact-sm"
          />
        </div>
      ) : null}
    </li>
  );
}

/** Code, whose, where, since when, until when. */
export function GroupFacts({ group }: { readonly group: DeadLetterGroup }) {
  const { code, agents, queues, first_at: first, last_at: last, count } = group;
  return (
    <p className="sb-small sb-dim sb-facts-line">
      <code>
        <Plain text={code} />
      </code>
      <span>{agents.length === 0 ? "no agent" : <Plain text={agents.join(", ")} />}</span>
      <span>
        queue <Plain text={queues.join(", ")} />
      </span>
      <span>
        {count === 1 ? null : (
          <>
            first <When at={first} />,{" "}
          </>
        )}
        last <When at={last} />
      </span>
    </p>
  );
}

function NoLetters() {
  const { chosen } = useChosen();
  if (chosen.agent !== "" || chosen.queue !== "") {
    return (
      <Empty title="No dead letter is like that">Clear the filter, or wait: it is live.</Empty>
    );
  }
  if (chosen.status !== "open") return <Empty title={`None was ${chosen.status} yet`} />;
  return (
    <Empty title="No run waits for a person" command="signalbox run -- sh -c 'exit 2'">
      A run that has failed for good comes here, until somebody redrives or discards it. See one
      come, in a terminal on this machine:
    </Empty>
  );
}

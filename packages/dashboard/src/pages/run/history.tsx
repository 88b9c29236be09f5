// Who did what with a run: people, workers and the house, as the register has it.
// Promises: every change of state and every act with its actor, its reason and the id of the
// request it came with; what an agent said is not among it.
// Leaves to others: the log; the trail of the whole project (the screen of the audit).

import type { Event } from "@signalbox/sdk";
import { Plain } from "../../parts/plain.tsx";
import { Empty } from "../../parts/quiet.tsx";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";

const dash = "–";
const sources: Readonly<Record<Event["source"], string>> = {
  operator: "a person",
  host: "the house",
  runner: "its agent",
};

export function History({ moves }: { readonly moves: readonly Event[] }) {
  if (moves.length === 0) return <Empty title="Nothing has happened to it yet" />;
  return (
    <Table
      name="Who did what"
      heads={["#", "When", "Done by", "Who", "What", "Why", "Request"]}
      figures={[0]}
      rows={moves.toReversed().map((event) => ({
        key: event.seq,
        cells: [
          event.seq,
          <When key="at" at={event.at} />,
          sources[event.source],
          event.actor === null ? dash : <Plain key="actor" text={event.actor} />,
          <Plain
            key="what"
            text={
              [event.type, ...event.also].join(" + ") +
              (event.to_state ? ` → ${event.to_state}` : "")
            }
          />,
          <Plain key="why" text={whyOf(event)} />,
          event.request_id === null ? (
            dash
          ) : (
            <code key="request" className="sb-small">
              <Plain text={event.request_id} />
            </code>
          ),
        ],
      }))}
    />
  );
}

function whyOf({ data }: Event): string {
  const { reason, message, cause, note, error } = data;
  const broke = error !== null && typeof error === "object" && !Array.isArray(error) ? error : {};
  const said = [reason, message, note, broke?.["message"], cause].find(
    (one) => typeof one === "string",
  );
  return typeof said === "string" ? said.slice(0, 500) : dash;
}

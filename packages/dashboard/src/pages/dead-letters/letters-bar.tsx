// The bar above dead letters: how they stand, and the fields to filter by.
// Promises: the same on both screens; everything stands in the address.
// Leaves to others: the lists.

import { letterLooks } from "../../parts/states.ts";
import { FilterField } from "../../parts/filter-field.tsx";
import { useChosen } from "./chosen.ts";
import type { Chosen } from "./chosen.ts";

const statuses = Object.keys(letterLooks) as Chosen["status"][];

export function LettersBar() {
  const { chosen, choose } = useChosen();
  return (
    <div className="sb-row">
      <div className="sb-row" role="group" aria-label="How they stand">
        {statuses.map((status) => (
          <button
            key={status}
            type="button"
            className="sb-switch"
            aria-pressed={chosen.status === status}
            onClick={() => choose({ status })}
          >
            {status === "open" ? "Waiting" : status[0]?.toUpperCase() + status.slice(1)}
          </button>
        ))}
      </div>
      <FilterField label="Agent" isFirst value={chosen.agent} set={(agent) => choose({ agent })} />
      <FilterField label="Queue" value={chosen.queue} set={(queue) => choose({ queue })} />
    </div>
  );
}

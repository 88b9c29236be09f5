// The bar above a log: what is looked for, where in the run, follow, pause.
// Promises: a search is asked of the server for the whole run, once typing pauses; each control has
// its words.
// Leaves to others: the lines (`log-lines.tsx`), the window (`event-log.ts`), the file
// (`download.tsx`).

import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { memo, useState } from "react";
import { numberText } from "../../parts/states.ts";
import type { EventLog } from "./event-log.ts";
import { useLogView } from "./follow-run.ts";
import { everything } from "./look.ts";
import type { Look } from "./look.ts";

type OfLog = { readonly log: EventLog };

const TYPING_MS = 250;

export const LookFields = memo(function LookFields({ log }: OfLog) {
  const [look, setState] = useState(everything);
  const [typed, setTyped] = useState("");
  const setLook = (next: Look): void => {
    setState(next);
    void log.look(next);
  };
  const search = useDebouncedCallback((text: string) => setLook({ ...look, text }), TYPING_MS);
  return (
    <>
      <TextInput
        size="xs"
        aria-label="Search the log"
        placeholder="Search the whole log"
        data-search
        maxLength={200}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          search(event.currentTarget.value);
        }}
      />
      <NativeSelect
        size="xs"
        aria-label="Level"
        value={look.level}
        data={[
          { value: "all", label: "All levels" },
          { value: "trouble", label: "Warnings, errors, stderr" },
        ]}
        onChange={(event) =>
          setLook({ ...look, level: event.currentTarget.value as Look["level"] })
        }
      />
      <Checkbox
        size="xs"
        label="Tool calls"
        checked={look.tools}
        onChange={(event) => setLook({ ...look, tools: event.currentTarget.checked })}
      />
      <Checkbox
        size="xs"
        label="Transitions"
        checked={look.facts}
        onChange={(event) => setLook({ ...look, facts: event.currentTarget.checked })}
      />
    </>
  );
});

type PlaceProps = {
  readonly follows: boolean;
  readonly setFollows: (follows: boolean) => void;
  readonly toBeginning: () => void;
  readonly isHeld: boolean;
  readonly pause: () => void;
};

export const PlaceButtons = memo(function PlaceButtons(props: PlaceProps) {
  const { follows, setFollows, toBeginning, isHeld, pause } = props;
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={toBeginning}>
        To the beginning
      </Button>
      <Checkbox
        size="xs"
        label="Follow"
        checked={follows}
        onChange={(event) => setFollows(event.currentTarget.checked)}
      />
      {isHeld ? null : (
        <Button size="compact-sm" variant="default" onClick={pause}>
          Pause
        </Button>
      )}
    </>
  );
});

type GoOnProps = OfLog & { readonly heldAt: number; readonly goOn: () => void };

/** Ends a pause, and says what came meanwhile. */
export function GoOn({ log, heldAt, goOn }: GoOnProps) {
  const { last } = useLogView(log);
  return (
    <Button size="compact-sm" variant="default" onClick={goOn}>
      Go on ({numberText(last - heldAt)} new)
    </Button>
  );
}

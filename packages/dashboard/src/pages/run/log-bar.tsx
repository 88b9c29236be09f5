// The bar above a log: what is looked for, where in the run, follow, pause, download.
// Promises: a search is asked of the server for the whole run, once typing pauses; each control has
// its words.
// Leaves to others: the lines (`log.tsx`), the window (`event-log.ts`), the file (`download.ts`).

import { Button, Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { numberText } from "../../parts/states.ts";
import type { Look } from "./look.ts";

type FilterProps = { readonly look: Look; readonly setLook: (look: Look) => void };

const TYPING_MS = 250;

export function LookFields({ look, setLook }: FilterProps) {
  const [typed, setTyped] = useState(look.text);
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
}

type PlaceProps = {
  readonly follows: boolean;
  readonly setFollows: (follows: boolean) => void;
  /** Events that came since it was paused; null while it is not. */
  readonly missed: number | null;
  readonly pause: () => void;
  readonly goOn: () => void;
  readonly toBeginning: () => void;
  /** What a download has read so far; null while there is none. */
  readonly downloaded: number | null;
  readonly download: () => void;
};

export function PlaceButtons(props: PlaceProps) {
  const { follows, setFollows, missed, pause, goOn, toBeginning, downloaded, download } = props;
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
      <Button size="compact-sm" variant="default" onClick={missed === null ? pause : goOn}>
        {missed === null ? "Pause" : `Go on (${numberText(missed)} new)`}
      </Button>
      <Button size="compact-sm" variant="default" disabled={downloaded !== null} onClick={download}>
        {downloaded === null ? "Download" : `${numberText(downloaded)} read …`}
      </Button>
    </>
  );
}

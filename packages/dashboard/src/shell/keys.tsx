// Keys that work on every screen, and the list of all keys.
// Promises: no key acts while somebody types; each acts on what is on the screen, never on data.
// Leaves to others: keys inside dialogs and fields (the component library).

import { Modal } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { navigation } from "../screens.tsx";

/** `g` and a letter belong together when they come within this time. */
const PAIR_MS = 2_000;
/** When `g` was pressed, and which event was the letter after it. */
const pair = { beganAt: -PAIR_MS, takenAt: -1 };

/** Whether a letter is the second of a pair that began with `g`: it leads away and does no more. */
export const isOfPair = ({ timeStamp }: { readonly timeStamp: number }): boolean =>
  timeStamp === pair.takenAt || timeStamp - pair.beganAt < PAIR_MS;

type KeyAct = (event: { readonly timeStamp: number }) => void;

export function useKeys(showKeys: () => void): void {
  const navigate = useNavigate();
  // The keyboard's own time: a page that is busy must not part what was typed together.
  const byLetter = navigation.map(({ letter = "", path }): [string, KeyAct] => [
    letter,
    (event) => {
      if (!isOfPair(event)) return;
      pair.takenAt = event.timeStamp;
      pair.beganAt = -PAIR_MS;
      void navigate({ to: path });
    },
  ]);
  useHotkeys([
    ["/", () => document.querySelector<HTMLInputElement>("[data-search]")?.focus()],
    ["j", () => step(1)],
    ["k", () => step(-1)],
    ["shift+?", showKeys],
    ["?", showKeys],
    ["g", ({ timeStamp }) => void (pair.beganAt = timeStamp)],
    ...byLetter,
  ]);
}

/** Moves the focus to the next or previous thing of the screen's list. */
function step(by: 1 | -1): void {
  const items = [...document.querySelectorAll<HTMLElement>("[data-item]")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? items.at(by > 0 ? 0 : -1) : items[at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const rows: readonly (readonly [string, string])[] = [
  ["Ctrl K", "Go to or do anything"],
  ["/", "Search on this screen"],
  ["j, k", "Next, previous item"],
  ["Enter", "Open it"],
  ["?", "This list"],
  ...navigation.map(({ letter = "", label }) => [`g ${letter}`, label] as const),
];

export function Keys({ opened, close }: { readonly opened: boolean; readonly close: () => void }) {
  const here = useLocation({ select: ({ pathname }) => pathname });
  const own = navigation.find(({ path }) => path === here)?.keys ?? [];
  return (
    <Modal opened={opened} onClose={close} title="Keys" centered>
      <dl className="sb-keys">
        {[...own, ...rows].map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd className="sb-kbd">{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

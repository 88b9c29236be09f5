// The command palette (Ctrl or Cmd and K): every screen, every agent, a run by its id, actions.
// Promises: whatever it offers can also be reached by mouse; text of agents is only ever text.
// Leaves to others: doing it (the screens, `stop.tsx`).

import { Spotlight, spotlight } from "@mantine/spotlight";
import type { SpotlightActionData } from "@mantine/spotlight";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAgents } from "../api.ts";
import { runPath } from "../parts/go.tsx";
import { plain } from "../parts/plain.tsx";
import { navigation } from "../screens.tsx";
import { signOut } from "../session.ts";
import { useThemeSwitch } from "./theme-switch.ts";

export const openPalette = (): void => spotlight.open();

type PaletteProps = { readonly askStop: () => void; readonly showKeys: () => void };

export function Palette({ askStop, showKeys }: PaletteProps) {
  const navigate = useNavigate();
  const { next, flip } = useThemeSwitch();
  const { data: agents = [] } = useAgents();
  const [query, setQuery] = useState("");
  const go = (to: string, search: { [name: string]: string } = {}): void =>
    void navigate({ to, search });
  const asked = query.trim();
  const actions: SpotlightActionData[] = [
    ...(/^run_[a-z0-9]+$/.test(asked)
      ? [{ id: "run", label: `Open ${asked}`, onClick: () => go(runPath(asked)) }]
      : []),
    ...navigation.map(({ path, label, letter = "" }) => ({
      id: path,
      label,
      description: `Screen · g ${letter}`,
      onClick: () => go(path),
    })),
    { id: "stop", label: "Emergency stop …", description: "Asks for a reason", onClick: askStop },
    { id: "theme", label: `Change to ${next}`, onClick: flip },
    { id: "keys", label: "Show the keyboard's keys", description: "?", onClick: showKeys },
    { id: "out", label: "Sign out", description: "Ends the session", onClick: signOut },
    ...agents.map(({ name, status }) => ({
      id: `agent ${name}`,
      label: `Runs of ${plain(name)}`,
      description: `Agent · ${status}`,
      onClick: () => go("/runs", { agent: name }),
    })),
  ];
  return (
    <Spotlight
      actions={actions}
      query={query}
      onQueryChange={setQuery}
      shortcut={["mod + K"]}
      lockScroll={false}
      limit={12}
      nothingFound="Nothing of that name. A run is found by its whole id."
      searchProps={{ placeholder: "Screen, agent, run_…, action", "aria-label": "Go to or do" }}
    />
  );
}

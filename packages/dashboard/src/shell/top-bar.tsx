// The top bar: which project, whether the page is live, the palette, the theme, and the stop.
// Promises: the emergency stop is on every screen, in the same place; leaving ends the session; on
// small screens what has no room is in the palette.
// Leaves to others: the stop itself (`stop.tsx`), the palette (`palette.tsx`).

import { Button, NativeSelect } from "@mantine/core";
import type { Link } from "../live.ts";
import { plain } from "../parts/plain.tsx";
import { changeProject, signOut, useSignedIn } from "../session.ts";
import { openPalette } from "./palette.tsx";
import { StopButton } from "./stop.tsx";
import type { StopDialog } from "./stop.tsx";
import { useThemeSwitch } from "./theme-switch.ts";

const links: Readonly<Record<Link, { word: string; tone: string }>> = {
  connecting: { word: "connecting", tone: "neutral" },
  live: { word: "live", tone: "green" },
  away: { word: "server away", tone: "red" },
};

type TopBarProps = { readonly link: Link; readonly stop: StopDialog };

export function TopBar({ link, stop }: TopBarProps) {
  const { word, tone } = links[link];
  return (
    <header className="sb-top">
      <span className="sb-brand">
        <img src="/signalbox.svg" alt="" width="20" height="20" />{" "}
        <span className="sb-brand-word">Signalbox</span>
      </span>
      <ProjectChoice />
      <output className={`sb-badge sb-${tone}`}>
        <span className="sb-dot" aria-hidden="true" />
        {word}
      </output>
      <span className="sb-grow" />
      <Button variant="default" size="xs" onClick={openPalette}>
        <span className="sb-wide">
          Go to or do … <kbd className="sb-kbd">Ctrl K</kbd>
        </span>
        <span className="sb-narrow">Menu …</span>
      </Button>
      <ThemeButton />
      <Button variant="default" size="xs" className="sb-wide" onClick={signOut}>
        Sign out
      </Button>
      <StopButton {...stop} />
    </header>
  );
}

function ProjectChoice() {
  const { project, projects } = useSignedIn();
  if (projects.length < 2) return <strong className="sb-clip">{plain(project.name)}</strong>;
  return (
    <NativeSelect
      size="xs"
      aria-label="Project"
      value={project.name}
      data={projects.map(({ name }) => ({ value: name, label: plain(name) }))}
      onChange={(event) => void changeProject(event.currentTarget.value)}
    />
  );
}

function ThemeButton() {
  const { next, flip } = useThemeSwitch();
  return (
    <Button variant="default" size="xs" className="sb-wide" onClick={flip}>
      {next === "dark" ? "Dark" : "Light"}
    </Button>
  );
}

// The frame around every screen: top bar, navigation, the screen, and the keys of all screens.
// Promises: the first thing Tab reaches is a way past the navigation; a stopped project says so
// above every screen; one stream of events per page.
// Leaves to others: the screens (`screens.tsx`), the top bar and the palette (beside this file).

import { Outlet } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useLive } from "../live.ts";
import { forgetDrafts } from "../parts/draft.ts";
import { AwayNote } from "./away.tsx";
import { Keys, useKeys } from "./keys.tsx";
import { useWholeText } from "./whole-text.ts";
import { Navigation } from "./navigation.tsx";
import { useNews } from "./news.tsx";
import { Palette } from "./palette.tsx";
import { StoppedNote } from "./stop.tsx";
import { TopBar } from "./top-bar.tsx";

export function Shell() {
  const link = useLive();
  const [areKeysShown, showKeys] = useState(false);
  const [isStopAsked, askStop] = useState(false);
  useKeys(() => showKeys(true));
  useNews();
  // The frame is taken away when the person signs out, and not when the page is loaded again.
  useEffect(() => forgetDrafts, []);
  useWholeText();
  return (
    <div className="sb-shell">
      <a href="#screen" className="sb-skip">
        Skip to the screen
      </a>
      <TopBar link={link} stop={{ isAsked: isStopAsked, ask: askStop }} />
      <Navigation />
      <main id="screen" className="sb-screen" tabIndex={-1}>
        <AwayNote link={link} />
        <StoppedNote />
        <Outlet />
      </main>
      <Palette askStop={() => askStop(true)} showKeys={() => showKeys(true)} />
      <Keys opened={areKeysShown} close={() => showKeys(false)} />
    </div>
  );
}

// The navigation: made from the table of screens.
// Promises: the current screen is marked for eyes and for screen readers; a row on small screens,
// in which the current one is in sight.
// Leaves to others: which screens there are (`screens.tsx`).

import { Link, useLocation } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { navigation } from "../screens.tsx";

export function Navigation() {
  const row = useRef<HTMLElement>(null);
  const here = useLocation({ select: ({ pathname }) => pathname });
  useEffect(() => {
    const current = row.current?.querySelector<HTMLElement>("[aria-current=page]");
    if (row.current === null || !current) return;
    row.current.scrollLeft = current.offsetLeft - row.current.clientWidth / 3;
  }, [here]);
  return (
    <nav ref={row} className="sb-nav" aria-label="Screens">
      {navigation.map(({ path, label, mark: Mark }) => (
        <Link
          key={path}
          to={path}
          className="sb-nav-link"
          activeOptions={{ exact: path === "/", includeSearch: false }}
        >
          {label}
          {Mark === undefined ? null : <Mark />}
        </Link>
      ))}
    </nav>
  );
}

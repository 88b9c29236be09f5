// The navigation: made from the table of screens.
// Promises: the current screen is marked for eyes and for screen readers; a row on small screens.
// Leaves to others: which screens there are (`screens.tsx`).

import { Link } from "@tanstack/react-router";
import { navigation } from "../screens.tsx";

export function Navigation() {
  return (
    <nav className="sb-nav" aria-label="Screens">
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

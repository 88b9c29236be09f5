// Links inside the dashboard.
// Promises: real links (middle click, copy address); the address of a run is written in one place.
// Leaves to others: where they lead (`screens.tsx`).

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

type GoProps = {
  readonly to: string;
  readonly search?: { readonly [name: string]: string };
  readonly children: ReactNode;
  readonly className?: string;
};

export function Go({ to, search = {}, children, className = "sb-link" }: GoProps) {
  return (
    <Link to={to} search={search} className={className}>
      {children}
    </Link>
  );
}

export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

/** A run by its id, shortened to its end, which is what differs. */
export function RunLink({ id, title }: { readonly id: string; readonly title?: string }) {
  return (
    <Go to={runPath(id)}>
      {title === undefined ? <code title={id}>…{id.slice(-8)}</code> : title}
    </Go>
  );
}

// The frame of every screen: its name, what can be done with it, and its content.
// Promises: one h1 per page, and the tab's title says the same.
// Leaves to others: navigation and the top bar (`shell/`).

import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

type PageProps = {
  readonly title: string;
  /** Beside the title. */
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
};

export function Page({ title, note, actions, children }: PageProps) {
  useDocumentTitle(`${title} · Signalbox`);
  return (
    <>
      <header className="sb-page-head">
        <h1>{title}</h1>
        <div className="sb-grow sb-dim">{note}</div>
        <div className="sb-row">{actions}</div>
      </header>
      {children}
    </>
  );
}

type SectionProps = {
  readonly title: string;
  readonly note?: ReactNode;
  readonly children: ReactNode;
};

export function Section({ title, note, children }: SectionProps) {
  return (
    <section className="sb-section" aria-label={title}>
      <div className="sb-row sb-between">
        <h2>{title}</h2>
        <div className="sb-dim sb-small">{note}</div>
      </div>
      {children}
    </section>
  );
}

// Facts side by side: a name above, a value below.
// Promises: a list of terms for screen readers; long values wrap and push nothing.
// Leaves to others: which facts.

import type { ReactNode } from "react";

export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className="sb-facts">{children}</dl>;
}

type FactProps = { readonly name: string; readonly wide?: boolean; readonly children: ReactNode };

export function Fact({ name, wide = false, children }: FactProps) {
  return (
    <div className={wide ? "sb-fact-wide" : undefined}>
      <dt>{name}</dt>
      <dd className="sb-num">{children}</dd>
    </div>
  );
}

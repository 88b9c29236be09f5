// What a screen shows while there is nothing to show: waiting, nothing there, or it went wrong.
// Promises: the room of what comes is kept (no jumping); an empty screen names a first command that
// works; an error says what to do and offers to do it.
// Leaves to others: the words for errors (`advice.ts`).

import { Button, Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { adviceOn } from "./advice.ts";
import { Copyable } from "./copyable.tsx";

/** Lines where a list will be. */
export function Waiting({ rows = 6, height = 40 }: { rows?: number; height?: number }) {
  return (
    <div className="sb-stack" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, n) => (
        <Skeleton key={n} height={height} radius="sm" />
      ))}
    </div>
  );
}

type EmptyProps = {
  readonly title: string;
  readonly children?: ReactNode;
  readonly command?: string;
};

/** Nothing is here yet, and what makes something be. */
export function Empty({ title, children, command }: EmptyProps) {
  return (
    <div className="sb-empty">
      <h3>{title}</h3>
      {children === undefined ? null : <p>{children}</p>}
      {command === undefined ? null : <Copyable text={command} what="the command" />}
    </div>
  );
}

/** What went wrong, what to do, and a button that tries again. */
export function Wrong({ error, again }: { readonly error: unknown; readonly again?: () => void }) {
  const { title, advice } = adviceOn(error);
  return (
    <div className="sb-wrong" role="alert">
      <h3>{title}</h3>
      <p>{advice}</p>
      {again === undefined ? null : (
        <Button size="xs" variant="default" onClick={again}>
          Try again
        </Button>
      )}
    </div>
  );
}

type ShowProps<T> = {
  readonly asked: UseQueryResult<T>;
  readonly rows?: number;
  readonly height?: number;
  readonly children: (value: T) => ReactNode;
};

/** The answer to a question once it is there; before, its room; on refusal, the advice. */
export function Show<T>({ asked, rows, height, children }: ShowProps<T>) {
  if (asked.data !== undefined) return children(asked.data);
  if (asked.isError) return <Wrong error={asked.error} again={() => void asked.refetch()} />;
  return <Waiting {...(rows && { rows })} {...(height && { height })} />;
}

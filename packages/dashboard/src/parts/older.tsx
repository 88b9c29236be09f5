// Below a list that comes page by page: how many are shown, and the way to those before.
// Promises: screen readers hear the number when it changes.
// Leaves to others: asking for pages (the screens), lists that load while one scrolls
// (`pages/runs/`).

import { Button } from "@mantine/core";

type OlderProps = {
  readonly shown: number;
  /** The query of the pages, as far as this needs it. */
  readonly asked: {
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    readonly fetchNextPage: () => Promise<unknown>;
  };
};

export function Older({ shown, asked }: OlderProps) {
  return (
    <div className="sb-row">
      {asked.hasNextPage ? (
        <Button
          size="xs"
          variant="default"
          loading={asked.isFetchingNextPage}
          onClick={() => void asked.fetchNextPage()}
        >
          Show older
        </Button>
      ) : null}
      <span className="sb-dim sb-small sb-num" aria-live="polite">
        {shown} shown{asked.hasNextPage ? ", more before" : ", that is all"}
      </span>
    </div>
  );
}

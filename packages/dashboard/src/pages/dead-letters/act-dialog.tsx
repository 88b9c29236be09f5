// The dialog of an act on dead letters: how many it is about, what is to be different or why, and
// how it went.
// Promises: the number stands in the dialog and on its button before anything can be pressed; when
// more match by then nothing is done and it is counted anew; each refusal is named; what was typed
// survives a refusal.
// Leaves to others: the fields (`redrive-dialog.tsx`, `discard-dialog.tsx`).

import { Button, Modal } from "@mantine/core";
import type { BulkResult } from "@signalbox/sdk";
import { isSignalboxError } from "@signalbox/sdk";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";
import { RunLink } from "../../parts/go.tsx";
import { Plain, runTitle } from "../../parts/plain.tsx";
import { Waiting, Wrong } from "../../parts/quiet.tsx";
import { useReturn } from "../../parts/use-return.ts";
import { useSignedIn } from "../../session.ts";
import { lettersText, oneOf, useCount } from "./which.ts";
import type { Act, Done, Which } from "./which.ts";

type ActDialogProps = {
  readonly which: Which;
  /** `Redrive`, and `redriven`. */
  readonly verb: string;
  readonly past: string;
  /** What it does. */
  readonly says: string;
  readonly isReady: boolean;
  readonly act: Act;
  readonly close: () => void;
  /** It was done: drafts can go. */
  readonly finished?: () => void;
  readonly isDangerous?: boolean;
  readonly children: ReactNode;
};

export function ActDialog(props: ActDialogProps) {
  useReturn();
  const { which, verb, past, close } = props;
  const counted = useCount(which);
  const { client, number } = useSignedIn();
  const queries = useQueryClient();
  const doing = useMutation({
    mutationFn: (confirmed: number) => props.act(client, confirmed),
    onSuccess: () => props.finished?.(),
    onError: (error) => {
      if (isSignalboxError(error, "count_changed")) void counted.refetch();
    },
    onSettled: async () => {
      const asked = (["letters", "run", "runs", "counts", "queues"] as const).map((subject) =>
        queries.invalidateQueries({ queryKey: [number, subject] }),
      );
      await Promise.all(asked);
    },
  });
  const n = counted.data?.matched ?? 0;
  const title = counted.data === undefined ? `${verb} …` : `${verb} ${lettersText(n)}`;
  return (
    <Modal opened onClose={close} centered size="lg" title={title}>
      {doing.data !== undefined ? (
        <Result done={doing.data} past={past} close={close} />
      ) : counted.isError && counted.data === undefined ? (
        <Wrong error={counted.error} again={() => void counted.refetch()} />
      ) : counted.data === undefined ? (
        <Waiting rows={3} />
      ) : n === 0 ? (
        <Nothing close={close} />
      ) : (
        <Form {...props} counted={counted.data} doing={doing} />
      )}
    </Modal>
  );
}

type FormProps = ActDialogProps & {
  readonly counted: BulkResult;
  readonly doing: {
    readonly mutate: (confirmed: number) => void;
    readonly isPending: boolean;
    readonly error: unknown;
  };
};

function Form({ counted, doing, which, verb, says, isReady, ...rest }: FormProps) {
  const n = counted.matched;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (isReady && !doing.isPending) doing.mutate(n);
  };
  return (
    <form onSubmit={submit} className="sb-stack">
      <p>{says}</p>
      {oneOf(which) === null ? <Sample counted={counted} /> : null}
      {rest.children}
      <Refusal error={doing.error} n={n} />
      <div className="sb-row sb-end sb-dialog-foot">
        <Button variant="default" onClick={rest.close}>
          Leave it
        </Button>
        <Button
          type="submit"
          color={rest.isDangerous === true ? "red" : "blue"}
          disabled={!isReady}
          loading={doing.isPending}
        >
          {oneOf(which) === null ? `${verb} ${n} runs` : `${verb} the run`}
        </Button>
      </div>
    </form>
  );
}

function Refusal({ error, n }: { readonly error: unknown; readonly n: number }) {
  if (error === null) return null;
  if (!isSignalboxError(error, "count_changed")) return <Wrong error={error} />;
  return (
    <p className="sb-note sb-amber" role="alert">
      Nothing was done: others came while you looked. Now {lettersText(n)} match. Press again if you
      mean all of them.
    </p>
  );
}

/** The newest of those that were counted. */
function Sample({ counted: { sample, matched } }: { readonly counted: BulkResult }) {
  const more = matched - sample.length;
  return (
    <details className="sb-fold">
      <summary>Which ones: the newest {sample.length}</summary>
      <ul className="sb-stack-s sb-small">
        {sample.map((run) => (
          <li key={run.id} className="sb-clip">
            <RunLink id={run.id} title={runTitle(run)} />{" "}
            <span className="sb-dim">
              <Plain text={run.error?.message.slice(0, 120) ?? ""} />
            </span>
          </li>
        ))}
        {more > 0 ? <li className="sb-dim">and {more} more</li> : null}
      </ul>
    </details>
  );
}

function Nothing({ close }: { readonly close: () => void }) {
  return (
    <div className="sb-stack">
      <p>Nothing is left to do: somebody was faster, and it has been redriven or discarded.</p>
      <div className="sb-row sb-end">
        <Button onClick={close} data-autofocus>
          Close
        </Button>
      </div>
    </div>
  );
}

/** Most new runs that are linked. */
const MOST_LINKS = 10;

type ResultProps = { readonly done: Done; readonly past: string; readonly close: () => void };

function Result({ done, past, close }: ResultProps) {
  const { became, refusals } = done;
  return (
    <div className="sb-stack" role="status">
      <p className="sb-num">
        <strong>
          {done.done} {past}
        </strong>
        {done.refused === 0 ? "" : `, ${done.refused} refused`}
      </p>
      {became.length === 0 ? null : (
        <ul className="sb-stack-s">
          {became.slice(0, MOST_LINKS).map((one) => (
            <li key={one.became}>
              …{one.run_id.slice(-8)} became <RunLink id={one.became} />
            </li>
          ))}
          {became.length > MOST_LINKS ? (
            <li className="sb-dim">and {became.length - MOST_LINKS} more</li>
          ) : null}
        </ul>
      )}
      {refusals.length === 0 ? null : (
        <ul className="sb-stack-s">
          {refusals.map(({ run_id: id, code, detail }) => (
            <li key={id}>
              <RunLink id={id} /> {code}: <Plain text={detail} />
            </li>
          ))}
        </ul>
      )}
      <div className="sb-row sb-end">
        <Button onClick={close} data-autofocus>
          Close
        </Button>
      </div>
    </div>
  );
}

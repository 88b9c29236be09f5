// What an approval means, in words: who answered, what follows from it, what happens without an
// answer.
// Promises: one place for these words, for the inbox, the run's page and the dialogs.
// Leaves to others: where they stand.

import type { Approval } from "@signalbox/sdk";
import { JsonChange } from "../../parts/json-change.tsx";
import { Plain } from "../../parts/plain.tsx";
import { approvalLooks } from "../../parts/states.ts";
import { Countdown, When } from "../../parts/when.tsx";

const policies: Readonly<Record<Approval["on_expiry"], string>> = {
  timeout: "the run ends as timed out",
  reject: "it counts as rejected and the run is cancelled",
  approve: "it is approved without a person",
};

/** Minutes before the end from which the countdown is urgent. */
const URGENT_MS = 5 * 60_000;
export const isUrgent = ({ expires_at: at }: Approval, now: number): boolean =>
  Date.parse(at) - now < URGENT_MS;

/** How long there is to answer, and what happens then. */
export function Expiry({ approval }: { readonly approval: Approval }) {
  return (
    <>
      in <Countdown to={approval.expires_at} over="a moment" />; then {policies[approval.on_expiry]}
    </>
  );
}

/** What becomes of the attempt while the question waits. */
export function Holding({ approval }: { readonly approval: Approval }) {
  const { hold_until: until } = approval;
  if (until === null) return <>suspended: no process waits; it is started again with the answer</>;
  return (
    <>
      held: its process keeps the lease for <Countdown to={until} over="a moment" />, then it is
      suspended
    </>
  );
}

const decided: Readonly<Record<Approval["status"], string>> = {
  pending: "Waits",
  approved: "Approved",
  rejected: "Rejected",
  expired: "Expired, closed",
  cancelled: "Closed",
};

/** Who decided it, and when; for one that was not decided, what became of it. */
function DecidedBy({ approval }: { readonly approval: Approval }) {
  const { status, decided_by: by, decided_at: at, edited_arguments: edited } = approval;
  if (status === "pending") return <>Waits for an answer</>;
  if (by === null) {
    return (
      <>
        Not needed any more <When at={at} />: the run went on or ended without an answer
      </>
    );
  }
  return (
    <>
      {decided[status]} by{" "}
      <strong>
        <Plain text={by === "house" ? "the house, since nobody answered in time" : by} />
      </strong>{" "}
      <When at={at} />
      {edited === null ? "" : ", with edited arguments"}
    </>
  );
}

/** How it was answered, and what of the arguments was changed by it. */
export function Outcome({ of }: { readonly of: Approval }) {
  const { status, comment, edited_arguments: edited, executed_at: at } = of;
  const { tone } = approvalLooks[status];
  return (
    <section className={`sb-note sb-${tone} sb-stack-s`} aria-label="Answer">
      <div>
        <DecidedBy approval={of} />
      </div>
      {comment === null ? null : (
        <div>
          Note: <Plain text={comment} />
        </div>
      )}
      {at === null ? null : (
        <div>
          Done as approved <When at={at} />
        </div>
      )}
      {edited === null ? null : (
        <JsonChange
          before={of.arguments}
          after={edited}
          name="From what was asked to what was approved"
        />
      )}
    </section>
  );
}

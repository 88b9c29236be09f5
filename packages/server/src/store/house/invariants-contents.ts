// The invariants of what is stored, as questions to the database: inputs are those that were
// accepted, attempts tell what their events tell, nothing is larger than it may be, no key lies in
// the register in clear, and what retention left behind is whole.
// Promises: as those of runs (`invariants.ts`). Sizes are measured from below: without the blanks
// that the database writes and without long rows of digits, so nothing that fits is named.
// Leaves to others: where in a value the excess is.

import { limits } from "../../domain/limits.ts";
import { canonicalJson, sha256Hex } from "../../std/digest.ts";
import type { Invariant } from "./invariant.ts";
import { invariant, judged, ofStreams, within } from "./invariant.ts";

/** Bytes of a JSON value as text, at least: the database writes numbers out and adds blanks. */
const size = (column: string): string => `case when octet_length(${column}::text) > $3::integer
  then octet_length(regexp_replace(replace(replace(${column}::text, '": ', '":'), ', ', ','),
    '\\d{25,}', '0', 'g')) else 0 end`;

/** Rows whose `column` is larger than the `n`-th of the sizes below. */
function tooLarge(table: string, id: string, column: string, most: number): string {
  return `select x.${id} as subject, null::bigint as seq,
       '${column} has ' || ${size(`x.${column}`)} || ' bytes' as detail
     from signalbox.${table} x
     where ${within(`x.${id}`)} and ${size(`x.${column}`)} > ${most}`;
}

/** What an event may carry: its data, and beside them metadata and counters. */
const EVENT_BYTES = limits.eventDataBytes + limits.metadataBytes + 4096;
const sizes = [
  tooLarge("run_spec", "run_id", "input", limits.inputBytes),
  tooLarge("run_spec", "run_id", "metadata", limits.metadataBytes),
  tooLarge("run_spec", "run_id", "authorization_snapshot", limits.authorizationBytes),
  tooLarge("run", "id", "output", limits.outputBytes),
  tooLarge("run", "id", "checkpoint", limits.checkpointBytes),
  tooLarge("approval", "run_id", "arguments", limits.approvalArgumentsBytes),
  tooLarge("event", "stream_id", "data", EVENT_BYTES),
];

/** Every invariant of what is stored. */
export const contentInvariants: readonly Invariant[] = [
  judged(
    "I-11 inputs",
    "the input of a run is the one whose digest was told when it was accepted",
    `select s.run_id::text as subject, s.input, encode(s.input_sha256, 'hex') as digest
     from signalbox.run_spec s where ${within("s.run_id")} order by s.run_id`,
    ({ input, digest }) => {
      const found = sha256Hex(canonicalJson(input ?? null));
      return found === digest ? null : `its input has the digest ${found}`;
    },
  ),
  ofStreams(
    "I-11 accepted",
    "what was accepted is what its first event says, and an output has the digest of one",
    `select s.run_id as subject, e.seq, 'was told as ' ||
       coalesce(e.data ->> 'input_sha256', '(nothing)') as detail
     from signalbox.run_spec s left join signalbox.event e on e.stream_id = s.run_id and e.seq = 1
     where ${within("s.run_id")}
       and e.data ->> 'input_sha256' is distinct from encode(s.input_sha256, 'hex')
     union all select r.id, null, 'has an output without its digest, or a digest alone'
     from signalbox.run r
     where ${within("r.id")} and case when r.output is null
       then r.output_sha256 <> sha256('null') else r.output_sha256 is null end`,
  ),
  ofStreams(
    "I-9 attempts",
    "when and why an attempt began and ended is what its events told",
    `select a.run_id as subject, e.seq, 'attempt ' || a.number || ' from ' || a.claimed_at
         || ' to ' || coalesce(a.ended_at::text, '(now)') || ' for '
         || coalesce(a.cause, '(nothing)') as detail
     from signalbox.attempt a cross join lateral (select min(x.seq) as seq,
         max(x.at) filter (where x.lease_delta = 1) as begun,
         max(x.at) filter (where x.lease_delta = -1) as ended,
         max(x.data ->> 'attempt_cause') filter (where x.lease_delta = -1) as cause,
         bool_or(x.type = 'run.started') as started
       from signalbox.event x where x.stream_id = a.run_id and x.attempt = a.number) e
     where ${within("a.run_id")} and (a.claimed_at is distinct from e.begun
       or a.ended_at is distinct from e.ended
       or (e.cause is not null and a.cause is distinct from e.cause)
       or (a.started_at is not null) <> coalesce(e.started, false))`,
  ),
  invariant(
    "I-13 keys",
    "a project's idempotency key stands for one run",
    `select max(s.run_id::text) as subject, null::bigint as seq,
       count(*) || ' runs of one key' as detail
     from signalbox.run_spec s where s.idempotency_key is not null
     group by s.project_id, s.idempotency_key having count(*) > 1`,
  ),
  ofStreams(
    "I-30 keys in clear",
    "no event holds one of the keys of this installation",
    `select e.stream_id as subject, e.seq, 'holds the key ' || k.prefix as detail
     from signalbox.event e
     cross join lateral
       regexp_matches(e.data::text, 'sbx_([0-9A-Za-z]+)_([0-9A-Za-z_-]{43})', 'g') m
     join signalbox.api_key k on k.prefix = m[1]
       and k.digest = sha256(convert_to(m[2], 'UTF8'))
     where ${within("e.stream_id")} and e.data::text like '%sbx\\_%'`,
  ),
  ofStreams(
    "I-31 sizes",
    "nothing that is stored is larger than it may be",
    sizes.join("\n     union all "),
    [Math.min(limits.metadataBytes, limits.authorizationBytes)],
  ),
  invariant(
    "I-31 text",
    "the database keeps text as UTF-8, so none that is ill-formed can be stored",
    `select d.datname as subject, null::bigint as seq,
       'is in ' || pg_encoding_to_char(d.encoding) as detail
     from pg_database d where d.datname = current_database()
       and pg_encoding_to_char(d.encoding) <> 'UTF8'`,
  ),
  ofStreams(
    "I-33 removed",
    "what retention removed is gone whole, and nothing that is still to be delivered went with it",
    `select d.stream_id as subject, d.seq, 'is to be delivered and was removed' as detail
     from signalbox.delivery d join signalbox.webhook w
       on w.id = d.webhook_id and w.deleted_at is null and w.disabled_at is null
     left join signalbox.event e on e.stream_id = d.stream_id and e.seq = d.seq
     where ${within("d.stream_id")} and d.state = 'pending' and e.seq is null
     union all select x.run_id, null, x.what || ' of a run that is gone'
     from (select v.run_id, 'dead letter' as what from signalbox.dead_letter v
         where ${within("v.run_id")}
       union all select a.run_id, 'question' from signalbox.approval a
       where ${within("a.run_id")}
       union all select b.run_id, 'reservation' from signalbox.reservation b
       where ${within("b.run_id")}
       union all select u.run_id, 'usage' from signalbox.usage u where ${within("u.run_id")}) x
     left join signalbox.run r on r.id = x.run_id where r.id is null`,
  ),
];

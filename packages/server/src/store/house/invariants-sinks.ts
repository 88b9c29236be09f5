// The invariants of events out, as questions to the database: deliveries against the register.
// Promises: as those of runs (`invariants.ts`).
// Leaves to others: what receivers saw (campaigns read their logs for that).

import type { Invariant } from "./invariant.ts";
import { invariant, ofStreams, within } from "./invariant.ts";

/** Every invariant of webhooks, deliveries and cursors. */
export const sinkInvariants: readonly Invariant[] = [
  invariant(
    "I-26 deliveries",
    "a delivery is of a committed event of its project, which its webhook's cursor has passed",
    `select d.id as subject, d.seq, d.type || ' of ' || case when e.feed is null then 'no event'
         when w.id is null then 'no webhook' else 'feed ' || d.feed end as detail
     from signalbox.delivery d
     left join signalbox.webhook w on w.id = d.webhook_id and w.project_id = d.project_id
     left join signalbox.event e on e.stream_id = d.stream_id and e.seq = d.seq
       and e.project_id = d.project_id and e.feed = d.feed and e.type = d.type
     where w.id is null or (d.feed is not null and (e.feed is null or d.feed > w.cursor))`,
  ),
  ofStreams(
    "I-26 order",
    "of one stream, what was delivered after a later event says so, or the later one does",
    `select x.id as subject, x.seq, 'feed ' || x.feed || ' delivered after ' || x.later as detail
     from (select d.id, d.seq, d.feed, d.ended_at, d.out_of_order, l.feed as later
       from signalbox.delivery d cross join lateral (select l.feed from signalbox.delivery l
         where l.stream_id = d.stream_id and l.webhook_id = d.webhook_id and l.feed > d.feed
           and l.state = 'delivered' and l.ended_at < d.ended_at and not l.out_of_order
         order by l.feed limit 1) l
       where ${within("d.stream_id")}
       and d.state = 'delivered') x where not x.out_of_order`,
  ),
  invariant(
    "I-26 line",
    "a delivery waits exactly while an earlier one of its stream, that has not stepped aside, does",
    `select d.id as subject, d.seq, 'waits for nothing' as detail from signalbox.delivery d
     where d.state = 'pending' and d.next_at is null and (d.aside or not exists (
       select from signalbox.delivery b where b.webhook_id = d.webhook_id
         and b.stream_id = d.stream_id and b.feed < d.feed and b.state = 'pending'
         and not b.aside))`,
  ),
  invariant(
    "I-26 cursors",
    "no cursor is ahead of the feed",
    `select w.id as subject, w.cursor as seq, 'ahead of ' || f.n as detail
     from signalbox.webhook w join signalbox.feed_counter f on f.project_id = w.project_id
     where w.cursor > f.n
     union all select c.project_id, c.cursor, 'ahead of ' || f.n || ' at ' || c.sink
     from signalbox.sink_cursor c join signalbox.feed_counter f on f.project_id = c.project_id
     where c.cursor > f.n`,
  ),
];

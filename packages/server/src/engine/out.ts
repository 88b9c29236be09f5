// What sends events out of the house, and lets go what was kept long enough, assembled.
// Promises: assembles and switches on and off, never decides; on connections of its own, so that a
// burst of deliveries keeps no operator waiting.
// Leaves to others: sending (services/tail), what may go (services/sweeps-retention.ts).

import type { Clock } from "../std/clock.ts";
import type { Logger } from "../std/logger.ts";
import type { Reader } from "../store/db.ts";
import type { Parts } from "./parts.ts";
import type { Hub } from "./services/hub.ts";
import { projectRung } from "./services/hub.ts";
import { RetentionSweep } from "./services/sweeps-retention.ts";
import { Deliveries } from "./services/tail/deliveries.ts";
import { LiveEvents } from "./services/tail/live-events.ts";
import { ValkeySink } from "./services/tail/valkey.ts";

export type Out = {
  readonly writer: Reader;
  readonly deliveries: Deliveries;
  readonly valkey: ValkeySink | null;
  readonly live: LiveEvents;
  readonly retention: RetentionSweep;
};

export type OutOptions = {
  readonly parts: () => Parts;
  readonly writer: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverId: string;
  readonly hub: Hub;
  readonly version: string;
  readonly random: () => number;
  readonly eventsUrl?: string;
};

export function outOf(options: OutOptions): Out {
  const { parts, writer, clock, logger, serverId, hub, version, random, eventsUrl } = options;
  const shared = { parts, writer, clock, logger, serverId };
  const deliveries = new Deliveries({ ...shared, version, random });
  const valkey = eventsUrl === undefined ? null : new ValkeySink({ ...shared, url: eventsUrl });
  hub.watch((name) => {
    const projectId = projectRung(name);
    if (projectId === null) return;
    deliveries.committed(projectId);
    valkey?.committed();
  });
  const live = new LiveEvents(parts);
  const retention = new RetentionSweep(parts, { clock, logger });
  return { writer, deliveries, valkey, live, retention };
}

/** Starts what is left on. `sinks` is as `sweeps` unless it is given. */
export async function startOut(
  out: Out,
  { sweeps = true, sinks = sweeps }: { sweeps?: boolean; sinks?: boolean },
): Promise<void> {
  if (sweeps) out.retention.start();
  if (!sinks) return;
  out.deliveries.start();
  await out.valkey?.start();
}

export async function stopOut({ live, deliveries, valkey, retention }: Out): Promise<void> {
  live.stop();
  await Promise.all([deliveries.stop(), valkey?.stop(), retention.stop()]);
}

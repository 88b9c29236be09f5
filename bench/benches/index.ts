// Every bench, in the order of the table of figures.

import type { Campaign } from "../stage/campaign.ts";
import { alone } from "./alone.ts";
import { blocked } from "./blocked.ts";
import { control } from "./control.ts";
import { flatness } from "./flatness.ts";
import { http } from "./http.ts";
import { latency } from "./latency.ts";
import { lifecycles } from "./lifecycles.ts";
import { memory } from "./memory.ts";
import { metered } from "./metered.ts";
import { profile } from "./profile.ts";
import { projects } from "./projects.ts";
import { snapshot } from "./snapshot.ts";
import { twoServersLoad } from "./two-servers-load.ts";

export const benches: readonly Campaign[] = [
  lifecycles,
  alone,
  http,
  latency,
  projects,
  flatness,
  blocked,
  snapshot,
  control,
  twoServersLoad,
  memory,
  metered,
  profile,
];

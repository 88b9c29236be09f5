// A worker written with curl, from the guide's one page; and the example that stays.
// Promises: the blocks of the page are executed exactly as printed, in order, as one script; then
// the example's worker does runs that complete, fail and are cut short by a stop.
// Leaves to others: the page's other words; curl and sh must be installed.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { root } from "../stage/places.ts";
import type { OwnProcess } from "../stage/processes.ts";
import { allEnded, submitAll } from "../stage/submit.ts";
import { until } from "../stage/until.ts";

const PAGE = "docs/guide/worker-in-curl.md";
const EXAMPLE = "examples/01-worker-in-curl/worker.sh";

/** The page's blocks of shell, joined. */
function scriptOf(page: string): string {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? "");
  if (blocks.length < 5) throw new Error(`${PAGE} has only ${blocks.length} blocks`);
  return blocks.join("\n");
}

function shell({ stage, server }: House, name: string, args: string[]): OwnProcess {
  return stage.processes.start({
    name,
    command: "sh",
    args,
    cwd: stage.makeFolder(name),
    env: { SIGNALBOX_URL: server.url, SIGNALBOX_KEY: server.credentials.key },
  });
}

/** The page, once. */
async function followPage(house: House, n: number): Promise<Measured> {
  const { stage, register } = house;
  const script = join(stage.folder, "page.sh");
  writeFileSync(script, scriptOf(readFileSync(join(root, PAGE), "utf8")));
  const page = shell(house, `page-${n}`, [script]);
  const { code } = await page.exited;
  if (code !== 0) stage.say(`  ${page.said().slice(-2_000)}\n  ${page.lastWords()}`);
  const runs = await register.histories("greetings");
  const done = runs.filter(({ state, claims, output }) => {
    return state === "completed" && claims === 1 && JSON.stringify(output).includes("hello Ada");
  });
  const [events] = await register.rows<{ n: number }>(
    `select count(*)::integer as n from signalbox.event e
     join signalbox.run_spec s on s.run_id = e.stream_id
     where s.queue = 'greetings' and e.type = 'log.line' and e.source = 'runner'`,
  );
  return {
    page_exit_code: code ?? -1,
    page_runs_missing: n + 1 - done.length,
    page_events_missing: n + 1 - (events?.n ?? 0),
  };
}

/** The example's worker: what completes, what fails, and what it gives back when stopped. */
async function runExample(house: House, n: number): Promise<Measured> {
  const { stage, server, register } = house;
  const wire = server.wire("submitter");
  const submit = (input: object, max_attempts: number): Promise<string[]> =>
    submitAll(wire, [{ queue: "curl", max_attempts, input: { ...input, n } }]);
  const program = `
    claim=$(cat)
    case $claim in
      *'"do":"fail"'*) echo 'it "broke"' >&2; exit 3 ;;
      *'"do":"wait"'*) echo waiting > waiting; exec sleep 60 ;;
      *) printf 'said\\t"hi" \\\\ there\\nbye\\n' ;;
    esac`;
  const worker = shell(house, `example-${n}`, [join(root, EXAMPLE), "sh", "-c", program]);
  await submit({ do: "say" }, 1);
  await submit({ do: "fail" }, 1);
  await allEnded(register, "curl", 60_000);
  const mine = async () =>
    (await register.histories("curl")).toSorted((a, b) => a.id.localeCompare(b.id)).slice(3 * n);
  const [said, failed] = await mine();
  const [waiting = ""] = await submit({ do: "wait" }, 1);
  const isRunning = async (): Promise<boolean> => (await mine())[2]?.state === "running";
  await until("the third run is running", isRunning, { limitMs: 30_000 });
  const exit = await worker.stop();
  const [, , released] = await mine();
  // Not for the worker of the next repetition.
  await wire.must(`POST /v1/runs/${waiting}/cancel`, { body: { reason: "shown" } });
  const isRight =
    said?.state === "completed" &&
    said.output === 'said\t"hi" \\ there\nbye' &&
    failed?.state === "failed" &&
    failed.error_code === "E-EXIT-3" &&
    exit.code === 0;
  if (!isRight) stage.say(`  ${JSON.stringify({ said, failed, exit })} ${worker.lastWords()}`);
  const isGivenBack = released?.state === "pending" && released.attempts_used === 0;
  return { example_wrong: isRight ? 0 : 1, example_not_given_back: isGivenBack ? 0 : 1 };
}

async function repetition(house: House, n: number): Promise<Measured> {
  return { ...(await followPage(house, n)), ...(await runExample(house, n)) };
}

export const curlWorker: Campaign = {
  name: "curl-worker",
  row: "a worker written with curl from the guide's one page",
  asked: "claims, emits, completes",
  reps: 3,
  quickReps: 1,
  limitS: 200,
  figures: {
    page_exit_code: { ...never, headline: true },
    page_runs_missing: { ...never, headline: true },
    page_events_missing: { ...never, headline: true },
    example_wrong: { ...never, headline: true },
    example_not_given_back: { ...never, headline: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};

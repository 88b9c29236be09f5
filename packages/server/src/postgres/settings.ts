// The settings PostgreSQL runs with, given on its command line at every start, so that neither
// a file nor `alter system` outlives a change made here.
// Promise: durable (fsync, full_page_writes, synchronous_commit) and private (no TCP) whatever
// else is asked for; fits a laptop and a default container with 64 MiB of /dev/shm.

import { statfsSync } from "node:fs";

/** Checked again by a query after each start (session.ts). */
export const promised = {
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  listen_addresses: "",
} as const;

const sized = {
  shared_buffers: "128MB",
  max_connections: "100",
  huge_pages: "off",
  // Queries are short and cores few: parallel workers would cost shared memory and processes.
  max_parallel_workers: "0",
  max_parallel_workers_per_gather: "0",
  max_parallel_maintenance_workers: "0",
  max_worker_processes: "2",
  max_logical_replication_workers: "0",
  max_wal_senders: "0",
  // Reads come from the page cache of one machine: three reader processes would idle.
  io_method: "sync",
  jit: "off",
  // Enough for a backup while running.
  wal_level: "replica",
  // What a crash leaves to replay. Killed under 80,000 inserted rows/s, 2 cores: 256 MB is back
  // in 0.7 to 1.6 s, 512 MB in 2 to 7 s, 1 GB in 2 to 13 s; the inserts are 2 % slower.
  max_wal_size: "256MB",
  checkpoint_timeout: "10min",
  // Claims touch few rows many times: dead rows are collected early.
  autovacuum_naptime: "15s",
  autovacuum_vacuum_scale_factor: "0.02",
  autovacuum_analyze_scale_factor: "0.02",
} as const;

const quiet = {
  timezone: "UTC",
  log_timezone: "UTC",
  logging_collector: "off",
  log_destination: "stderr",
  log_checkpoints: "off",
  // `log` ranks above `error`: starts, recoveries and deaths, not every refused statement,
  // whose text may hold what users typed.
  log_min_messages: "log",
  log_min_error_statement: "panic",
} as const;

/** POSIX shared memory lives in /dev/shm, which is 64 MiB in a default container. */
function sharedMemory(): "posix" | "mmap" {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize < 256 * 2 ** 20 ? "mmap" : "posix";
  } catch {
    return process.platform === "linux" ? "mmap" : "posix";
  }
}

export type Own = { hbaFile: string; socketDir: string; port: number; name: string };

/** Arguments of `postgres`; what is promised comes last and wins. */
export function settingArguments(own: Own, extra: Record<string, string>): string[] {
  const all: Record<string, string> = {
    ...sized,
    ...quiet,
    dynamic_shared_memory_type: sharedMemory(),
    password_encryption: "scram-sha-256",
    unix_socket_permissions: "0700",
    ...extra,
    cluster_name: own.name,
    hba_file: own.hbaFile,
    // A list, whose items are split at commas unless they stand in quotes.
    unix_socket_directories: `"${own.socketDir.replaceAll('"', '""')}"`,
    port: String(own.port),
    ...promised,
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

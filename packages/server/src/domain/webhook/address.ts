// Addresses a webhook may be sent to: what the special-purpose registries of IANA say of an IPv4 or
// IPv6 address, also of one that is hidden in another (mapped, NAT64).
// Promises: pure; what is not known to be public is not public; text that is no address is
// `forbidden`, so a mistake here refuses and never lets through (F-112).
// Leaves to others: resolving names, connecting to the address that was looked at (engine).

/**
 * `private` can be allowed for one webhook (loopback, RFC 1918, shared and unique local addresses);
 * `forbidden` never (link-local with the metadata services, multicast, reserved, tunnels).
 */
export type AddressKind = "public" | "private" | "forbidden";

type Range = readonly [base: string, bits: number, kind: AddressKind];

const ranges4: readonly Range[] = [
  ["0.0.0.0", 8, "forbidden"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "private"],
  // A metadata service of a provider, inside the shared addresses.
  ["100.100.100.200", 32, "forbidden"],
  ["127.0.0.0", 8, "private"],
  ["169.254.0.0", 16, "forbidden"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "forbidden"],
  ["192.0.2.0", 24, "forbidden"],
  ["192.31.196.0", 24, "forbidden"],
  ["192.52.193.0", 24, "forbidden"],
  ["192.88.99.0", 24, "forbidden"],
  ["192.168.0.0", 16, "private"],
  ["192.175.48.0", 24, "forbidden"],
  ["198.18.0.0", 15, "forbidden"],
  ["198.51.100.0", 24, "forbidden"],
  ["203.0.113.0", 24, "forbidden"],
  ["224.0.0.0", 3, "forbidden"],
];

/** Only 2000::/3 is handed out to the public; inside it, these are not. */
const ranges6: readonly Range[] = [
  ["2000::", 3, "public"],
  ["2001::", 23, "forbidden"],
  ["2001:db8::", 32, "forbidden"],
  ["2002::", 16, "forbidden"],
  ["3fff::", 20, "forbidden"],
  ["::1", 128, "private"],
  ["fc00::", 7, "private"],
  ["fd00:ec2::254", 128, "forbidden"],
  ["fd20:ce::254", 128, "forbidden"],
];

/** Addresses that carry an IPv4 address in their last 32 bits, which is the one that counts. */
const carriers: readonly Range[] = [
  ["::ffff:0:0", 96, "forbidden"],
  ["64:ff9b::", 96, "forbidden"],
];

/**
 * What kind of address this is.
 *
 * @example
 * addressKind("93.184.215.14"); // "public"
 * addressKind("::ffff:169.254.169.254"); // "forbidden"
 */
export function addressKind(text: string): AddressKind {
  const four = readFour(text);
  if (four !== null) return kindOf(four, 32, ranges4, "public");
  const six = readSix(text);
  if (six === null) return "forbidden";
  for (const carrier of carriers) {
    if (lies(six, 128, carrier)) return kindOf(six & 0xffff_ffffn, 32, ranges4, "public");
  }
  return kindOf(six, 128, ranges6, "forbidden");
}

/** The narrowest range that it lies in decides. */
function kindOf(
  value: bigint,
  width: number,
  ranges: readonly Range[],
  otherwise: AddressKind,
): AddressKind {
  let found: Range | null = null;
  for (const range of ranges) {
    if (lies(value, width, range) && (found === null || range[1] > found[1])) found = range;
  }
  return found === null ? otherwise : found[2];
}

function lies(value: bigint, width: number, [base, bits]: Range): boolean {
  const start = (width === 32 ? readFour(base) : readSix(base)) as bigint;
  const rest = BigInt(width - bits);
  return value >> rest === start >> rest;
}

/** Four decimal numbers without leading zeros: every other notation is somebody's trick. */
function readFour(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

/** Any notation of RFC 4291, without a zone. */
function readSix(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2 || !/^[0-9a-f:.]{2,45}$/i.test(text)) return null;
  const before = groupsOf(halves[0] ?? "");
  const after = halves.length === 2 ? groupsOf(halves[1] ?? "") : [];
  if (before === null || after === null) return null;
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...before, ...Array.from({ length: missing }, () => 0n), ...after];
  return all.reduce((value, group) => (value << 16n) | group, 0n);
}

function groupsOf(text: string): bigint[] | null {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const four = index === parts.length - 1 ? readFour(part) : null;
    if (four !== null) groups.push(four >> 16n, four & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return null;
  }
  return groups;
}

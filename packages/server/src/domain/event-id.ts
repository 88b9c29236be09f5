// The id of an event, made from where it stands in the register, so that it needs no column.
// Promises: the same event has the same id for ever; two events of one stream never share one, and
// two of different streams no more likely than two random 62-bit numbers.
// Leaves to others: encoding as a TypeID (`std/ids.ts`).

const LOW_BITS = (1n << 62n) - 1n;
/** An odd multiplier spreads consecutive numbers over all 62 bits and loses none. */
const SPREAD = 0x1e3779b97f4a7c15n;

/**
 * UUIDv7-shaped id of event `seq` of the stream with UUID `streamId`.
 *
 * @example
 * eventId(run, 1) !== eventId(run, 2); // true
 */
export function eventId(streamId: string, seq: number): string {
  const hex = streamId.replaceAll("-", "");
  const low = BigInt(`0x${hex.slice(16)}`) & LOW_BITS;
  const mixed = (low + BigInt(seq) * SPREAD) & LOW_BITS;
  const tail = ((2n << 62n) | mixed).toString(16).padStart(16, "0");
  return (
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-` +
    `${tail.slice(0, 4)}-${tail.slice(4)}`
  );
}

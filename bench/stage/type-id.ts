// The UUID behind an id of the wire: own code, since what is judged must not judge itself.
// Promises: throws for anything that is not `prefix_` and 26 digits of Crockford's base 32.
// Leaves to others: which kind of thing the prefix names.

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** `run_01h…` → `0190…-…`, as the database writes it. */
export function uuidOf(id: string): string {
  const digits = id.slice(id.lastIndexOf("_") + 1);
  let value = 0n;
  for (const digit of digits) {
    const worth = DIGITS.indexOf(digit);
    if (worth < 0) throw new Error(`${id} is not an id`);
    value = value * 32n + BigInt(worth);
  }
  if (digits.length !== 26 || value >= 2n ** 128n) throw new Error(`${id} is not an id`);
  const hex = value.toString(16).padStart(32, "0");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

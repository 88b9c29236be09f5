// Assertions: what must hold if the program is right.
// Promises: a failed assertion throws `Bug`, which nothing may catch to carry on; callers above
// turn it into a 500 and a log line. Costs one branch, so it stays on in production.
// Leaves to others: an expected "no" is a refusal (domain), a failing world is a fault (engine).

/** Thrown when an assertion fails: the program is wrong, and trying again will not help. */
export class Bug extends Error {
  override readonly name = "Bug";
}

/** Throws {@link Bug} with `message` unless `condition` is truthy. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Bug(message);
}

/** The end of an exhaustive switch: fails to compile while a case is missing, throws if reached. */
export function unreachable(value: never): never {
  throw new Bug(`unreachable value: ${JSON.stringify(value)}`);
}

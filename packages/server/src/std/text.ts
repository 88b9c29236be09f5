// Text that PostgreSQL can keep, and JSON that cannot exhaust a stack.
// Promises: nothing an agent writes makes a row impossible to store; unchanged values come back as
// the same reference; no function here recurses, so depth is bounded by memory alone.
// Leaves to others: size limits, and what to tell a caller whose text was changed (`sanitized`).

const SYMBOL_FOR_NUL = "\u2400";

/** A value that can be stored, and whether it had to be changed for that. */
export type Storable<T> = { readonly value: T; readonly sanitized: boolean };

/**
 * Replaces what PostgreSQL refuses in text and jsonb, in strings, items, values and keys of a JSON
 * tree: U+0000 becomes U+2400 (␀), a lone surrogate U+FFFD. Returns the same reference with
 * `sanitized: false` if there was nothing to replace (one pass, no copy). Keys that become equal:
 * the last wins, as in JSON.parse. The tree must be a tree: check {@link valueDepth} first.
 */
export function toStorable<T>(value: T): Storable<T> {
  if (isStorable(value)) return { value, sanitized: false };
  return { value: rebuild(value) as T, sanitized: true };
}

/**
 * Whether JSON text nests at most `max` arrays and objects (`[]` is 1 deep, `7` is 0). Reads the
 * raw text, about 3 ms per MiB, so that a hostile body is refused before JSON.parse sees it.
 * Malformed text gets some answer; JSON.parse gives the verdict on it.
 */
export function jsonDepth(text: string, max: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > max) return false;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return true;
}

/** Whether a parsed JSON value nests at most `max` arrays and objects. False for a cycle. */
export function valueDepth(value: unknown, max: number): boolean {
  const open: { node: Container; depth: number }[] = [];
  const visit = (child: unknown, depth: number): boolean => {
    if (!isContainer(child)) return true;
    open.push({ node: child, depth });
    return depth <= max;
  };
  if (!visit(value, 1)) return false;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const child of Object.values(next.node)) {
      if (!visit(child, next.depth + 1)) return false;
    }
  }
  return true;
}

type Container = unknown[] | Record<string, unknown>;

function isContainer(value: unknown): value is Container {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isStorable(root: unknown): boolean {
  if (typeof root === "string") return isStorableText(root);
  const open: unknown[] = [root];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node === "string") {
      if (!isStorableText(node)) return false;
    } else if (Array.isArray(node)) {
      for (const item of node) open.push(item);
    } else if (isContainer(node)) {
      for (const key of Object.keys(node)) {
        if (!isStorableText(key)) return false;
        open.push((node as Record<string, unknown>)[key]);
      }
    }
  }
  return true;
}

function isStorableText(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}

function storableText(text: string): string {
  return text.replaceAll("\u0000", SYMBOL_FOR_NUL).toWellFormed();
}

/** A copy of the tree with every text made storable; works from a list, not by recursion. */
function rebuild(root: unknown): unknown {
  const open: [source: Container, copy: Container][] = [];
  const copyOf = (value: unknown): unknown => {
    if (typeof value === "string") return storableText(value);
    if (!isContainer(value)) return value;
    const copy: Container = Array.isArray(value) ? [] : {};
    open.push([value, copy]);
    return copy;
  };
  const rootCopy = copyOf(root);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [source, copy] = next;
    for (const [key, value] of Object.entries(source)) {
      // Not `copy[key] =`: a key named __proto__ must become a key, not the prototype.
      Object.defineProperty(copy, storableText(key), {
        value: copyOf(value),
        configurable: true,
        enumerable: true,
        writable: true,
      });
    }
  }
  return rootCopy;
}

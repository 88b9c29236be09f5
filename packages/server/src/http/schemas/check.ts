// Checking: a value against its schema, with an answer that names each wrong field.
// Promises: schemas are compiled at their first use and once (1 to 3 ms each); the good case costs
// about 1 µs; a wrong value gives at most 20 errors, each with the path as in the JSON.
// Leaves to others: the schemas, and turning errors into a problem document.

import { Compile } from "../typebox.ts";
import { Settings } from "../typebox.ts";
import type { TSchema } from "../typebox.ts";

export type FieldError = { field: string; message: string };
type Compiled = ReturnType<typeof Compile>;
type Fault = ReturnType<Compiled["Errors"]>[number];
type Node = { readonly [keyword: string]: unknown };

const MOST_ERRORS = 20;
// The library stops at 8, branches of alternatives and doubled ones included.
Settings.Set({ maxErrors: 4 * MOST_ERRORS });

const compiled = new WeakMap<TSchema, Compiled>();

/** The wrong fields of `value`, or null if it is as `schema` says. */
export function wrongFields(schema: TSchema, value: unknown): FieldError[] | null {
  const validator = compiledOf(schema);
  if (validator.Check(value)) return null;
  const errors = new Map<string, FieldError>();
  for (const fault of validator.Errors(value)) {
    for (const error of explain(schema as Node, fault)) {
      if (errors.size < MOST_ERRORS && !errors.has(error.field)) errors.set(error.field, error);
    }
  }
  if (errors.size === 0) errors.set("body", { field: "body", message: "is not as described" });
  return [...errors.values()];
}

function compiledOf(schema: TSchema): Compiled {
  let validator = compiled.get(schema);
  if (validator === undefined) {
    validator = Compile(schema) as Compiled;
    compiled.set(schema, validator);
  }
  return validator;
}

/** One fault of the validator in our words: where, and what would be right. */
function explain(root: Node, fault: Fault): FieldError[] {
  const at = pointerParts(fault.instancePath);
  const params = fault.params as { [name: string]: unknown };
  switch (fault.keyword) {
    case "additionalProperties":
      return strings(params["additionalProperties"]).map((name) => ({
        field: fieldName([...at, name]),
        message: "unknown field",
      }));
    case "required":
      return strings(params["requiredProperties"]).map((name) => ({
        field: fieldName([...at, name]),
        message: "is required",
      }));
    case "boolean": // the schema `false` of one unknown field; its parent names them all, later
      return [{ field: fieldName(at), message: "unknown field" }];
    case "anyOf": // its branches are named already, or `x-says` speaks for them
      return [];
    default:
      return [{ field: fieldName(at), message: said(root, fault) ?? inWords(fault) }];
  }
}

/** The sentence of the innermost schema on the way that brings its own. */
function said(root: Node, fault: Fault): string | null {
  let node: unknown = root;
  let sentence = sentenceOf(root);
  for (const part of pointerParts(fault.schemaPath.replace(/^#/, ""))) {
    node = (node as Node | undefined)?.[part];
    sentence = sentenceOf(node) ?? sentence;
  }
  return sentence;
}

function sentenceOf(node: unknown): string | null {
  const says = (node as Node | undefined)?.["x-says"];
  return typeof says === "string" ? says : null;
}

const words: { readonly [keyword: string]: (params: { [name: string]: unknown }) => string } = {
  type: ({ type }) => `must be ${[type].flat().map(withArticle).join(" or ")}`,
  enum: ({ allowedValues }) => `must be one of ${strings(allowedValues).join(", ")}`,
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
  minLength: ({ limit }) => `must have at least ${String(limit)} characters`,
  maxLength: ({ limit }) => `must have at most ${String(limit)} characters`,
  minItems: ({ limit }) => `must have at least ${String(limit)} items`,
  maxItems: ({ limit }) => `must have at most ${String(limit)} items`,
  maxProperties: ({ limit }) => `must have at most ${String(limit)} fields`,
  minimum: ({ limit }) => `must be at least ${String(limit)}`,
  maximum: ({ limit }) => `must be at most ${String(limit)}`,
};

function inWords(fault: Fault): string {
  const say = words[fault.keyword];
  return say === undefined ? fault.message : say(fault.params);
}

function withArticle(type: unknown): string {
  if (type === "null") return "null";
  return /^[aeio]/.test(String(type)) ? `an ${String(type)}` : `a ${String(type)}`;
}

/** `/items/0/a~1b` → `["items", "0", "a/b"]`. */
function pointerParts(pointer: string): string[] {
  if (pointer === "") return [];
  const parts = pointer.slice(1).split("/");
  return parts.map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** `items.0.input`; the whole body is `body`. Long names are cut: they are the caller's. */
export function fieldName(path: readonly string[]): string {
  if (path.length === 0) return "body";
  return path.map((part) => (part.length > 100 ? `${part.slice(0, 100)}…` : part)).join(".");
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * The values of a query or path, which arrive as text, as the types their schema names. What cannot
 * be converted stays text, so that the check names it. A list may be repeated or use commas.
 */
export function fromText(schema: TSchema, raw: { readonly [name: string]: unknown }): object {
  const properties = (schema as { properties?: { [name: string]: Node } }).properties ?? {};
  const typeOf = (name: string): unknown =>
    Object.hasOwn(properties, name) ? properties[name]?.["type"] : undefined;
  const entries = Object.entries(raw).map(([name, value]) => [name, convert(typeOf(name), value)]);
  return Object.fromEntries(entries) as object; // unlike assignment, safe for a name `__proto__`
}

function convert(type: unknown, value: unknown): unknown {
  if (type === "array") return [value].flat().flatMap((one) => String(one).split(","));
  if (typeof value !== "string") return value;
  if (type === "integer" && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  return value;
}

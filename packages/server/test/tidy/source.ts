// Cuts TypeScript into code, comments, strings, templates and regular expressions.
// Promises: every character lands in exactly one token, so joining them gives the text again;
// good enough for rules about words and imports, including text that only looks like code.
// Leaves to others: syntax (the compiler). A regular expression is told from a division by what
// stands before it, which is right for code that a formatter has seen.

/** A piece of source text and the line it begins on (from 1). */
export type Token = {
  readonly kind: "code" | "comment" | "string" | "template" | "regex";
  readonly text: string;
  readonly line: number;
};

/** An import, export-from or dynamic import with a literal specifier. */
export type Import = { readonly specifier: string; readonly line: number; readonly type: boolean };

const REGEX_MAY_FOLLOW =
  /(?:^|[([{},;:=!&|?+\-*%~<>]|\b(?:return|case|typeof|throw|void|in|of))\s*$/;

/** The tokens of `text`, in order. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let code = "";
  /** One entry per open `${`: how many braces are open inside it. */
  const holes: number[] = [];
  const push = (kind: Token["kind"], piece: string): void => {
    if (kind === "code") code += piece;
    else code = kind === "comment" ? code : "x"; // what a `/` after it would divide
    const last = tokens.at(-1);
    if (kind === "code" && last?.kind === "code") {
      tokens[tokens.length - 1] = { ...last, text: last.text + piece };
    } else if (piece !== "") tokens.push({ kind, text: piece, line });
    line += piece.split("\n").length - 1;
  };

  for (let at = 0; at < text.length;) {
    const rest = text.slice(at, at + 2);
    const char = rest[0] as string;
    let kind: Token["kind"] = "code";
    let end = at + 1;
    if (rest === "//") [kind, end] = ["comment", indexOr(text, "\n", at)];
    else if (rest === "/*") [kind, end] = ["comment", indexOr(text, "*/", at + 2, 2)];
    else if (char === '"' || char === "'") [kind, end] = ["string", closing(text, at, char)];
    else if (char === "/" && REGEX_MAY_FOLLOW.test(code)) {
      [kind, end] = ["regex", closingRegex(text, at)];
    } else if (char === "`" || (char === "}" && holes.at(-1) === 0)) {
      if (char === "}") holes.pop();
      [kind, end] = ["template", closingTemplate(text, at)];
      if (text[end - 1] === "{") holes.push(0);
    } else if (char === "{" || char === "}") {
      if (holes.length > 0) holes.push((holes.pop() as number) + (char === "{" ? 1 : -1));
    }
    push(kind, text.slice(at, end));
    at = end;
  }
  return tokens;
}

/** The code alone: everything else is blanked, lines stay where they were. */
export function codeOf(text: string): string {
  const blank = (piece: string): string => piece.replaceAll(/[^\n]/g, " ");
  return tokensOf(text)
    .map((token) => (token.kind === "code" ? token.text : blank(token.text)))
    .join("");
}

/** What the strings and templates of `text` say, each with its line. */
export function stringsOf(text: string): Token[] {
  return tokensOf(text).filter(({ kind }) => kind === "string" || kind === "template");
}

/** The imports of `text`, static and dynamic, `import type` and `export … from` included. */
export function importsOf(text: string): Import[] {
  const imports: Import[] = [];
  let before = "";
  for (const token of tokensOf(text)) {
    if (token.kind === "code") before += token.text;
    if (token.kind === "comment" || token.kind === "code") continue;
    const statement = before.slice(Math.max(before.lastIndexOf(";"), 0));
    const from = /\b(import|export)\b(?:(\s+type)\b)?[^;=()]*\bfrom\s*$/.exec(statement);
    const bare = /\bimport\s*\(?\s*$/.test(statement);
    if ((from !== null || bare) && token.kind === "string") {
      const specifier = token.text.slice(1, -1);
      imports.push({ specifier, line: token.line, type: from?.[2] !== undefined });
    }
    before = from !== null ? ";" : `${before}x`;
  }
  return imports;
}

function indexOr(text: string, what: string, from: number, beyond = 0): number {
  const found = text.indexOf(what, from);
  return found < 0 ? text.length : found + beyond;
}

/** Where the string that opens at `at` ends: behind its quote, or at the end of the line. */
function closing(text: string, at: number, quote: string): number {
  for (let n = at + 1; n < text.length; n++) {
    if (text[n] === "\\") n += 1;
    else if (text[n] === quote) return n + 1;
    else if (text[n] === "\n") return n;
  }
  return text.length;
}

function closingRegex(text: string, at: number): number {
  let inClass = false;
  for (let n = at + 1; n < text.length; n++) {
    const char = text[n];
    if (char === "\\") n += 1;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "\n" || (char === "/" && !inClass)) return n + 1;
  }
  return text.length;
}

/** Where template text ends: behind the backtick, or behind the `${` that opens a hole. */
function closingTemplate(text: string, at: number): number {
  for (let n = at + 1; n < text.length; n++) {
    if (text[n] === "\\") n += 1;
    else if (text[n] === "`") return n + 1;
    else if (text[n] === "$" && text[n + 1] === "{") return n + 2;
  }
  return text.length;
}

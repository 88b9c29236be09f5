// Lines of Markdown as a page: the words of a paragraph or of a list item flow on over 100 columns,
// however the generator broke them. Headings, tables and empty lines stay as they are.

const COLUMNS = 100;

/** The page, with a line feed at its end. */
export function reflow(lines) {
  const page = [];
  let words = [];
  let indent = "";
  const flush = () => {
    if (words.length > 0) page.push(...wrapped(words, indent));
    words = [];
    indent = "";
  };
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    if (line === "" || /^[|#]/.test(line)) {
      flush();
      page.push(line);
      continue;
    }
    if (line.startsWith("- ")) {
      flush();
      indent = "  ";
    }
    words.push(...line.trim().split(/\s+/));
  }
  flush();
  return `${page.join("\n").trimEnd()}\n`;
}

/** Lines of at most 100 columns; all but the first begin with the indent. */
function wrapped(words, indent) {
  const lines = [];
  let line = "";
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= COLUMNS || line === "") line = longer;
    else {
      lines.push(line);
      line = `${indent}${word}`;
    }
  }
  return [...lines, line];
}

// Text that can be copied: ids, commands, documents.
// Promises: says that it was copied, also to screen readers; works by selecting too.
// Leaves to others: what the text is.

import { Button } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";

type CopyableProps = { readonly text: string; readonly what: string };

/** A line of code with a button that copies it. */
export function Copyable({ text, what }: CopyableProps) {
  return (
    <div className="sb-copyable">
      <pre tabIndex={0} aria-label={what}>
        {text}
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** The button alone. */
export function CopyButton({ text, what }: CopyableProps) {
  const { copy, copied } = useClipboard({ timeout: 1_500 });
  return (
    <Button
      size="compact-xs"
      variant="default"
      aria-label={copied ? `Copied ${what}` : `Copy ${what}`}
      onClick={() => copy(text)}
    >
      <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
    </Button>
  );
}

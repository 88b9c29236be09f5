// Arguments being edited: their text, what is wrong with it, and what changes by it.
// Promises: only a JSON object can be approved; the difference is shown while one types; Ctrl Enter
// sends, so that Enter can be a new line.
// Leaves to others: sending it (`answer-dialog.tsx`), how large it may be (server).

import { Button, Textarea } from "@mantine/core";
import type { Approval, JsonObject } from "@signalbox/sdk";
import type { KeyboardEvent } from "react";
import { JsonChange } from "../../parts/json-change.tsx";
import { jsonText } from "../../parts/json-text.ts";

/** What a text stands for, or what is wrong with it. */
export type EditedText = { readonly value: JsonObject } | { readonly wrong: string };

export function editedFrom(text: string): EditedText {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject
      ? { value: value as JsonObject }
      : { wrong: "Arguments are one JSON object: { … }" };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "It is no JSON." };
  }
}

type EditedProps = {
  readonly approval: Approval;
  readonly draft: {
    readonly text: string;
    readonly isBegun: boolean;
    readonly write: (text: string) => void;
  };
  readonly edited: EditedText;
  readonly go: () => void;
};

export function Edited({ approval, draft, edited, go }: EditedProps) {
  const { text, isBegun, write } = draft;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    go();
  };
  return (
    <>
      <Textarea
        label="Arguments"
        description="JSON. Ctrl Enter approves it."
        classNames={{ input: "sb-edit" }}
        rows={Math.min(14, Math.max(5, text.split("\n").length))}
        spellCheck={false}
        data-autofocus
        value={text}
        error={"wrong" in edited ? edited.wrong : undefined}
        onChange={(event) => write(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <section className="sb-stack-s" aria-label="What changes">
        <div className="sb-row sb-between">
          <h3>What changes</h3>
          <Button
            size="compact-xs"
            variant="default"
            disabled={!isBegun}
            onClick={() => write(jsonText(approval.arguments))}
          >
            Back to what was asked
          </Button>
        </div>
        <Change approval={approval} edited={edited} />
      </section>
    </>
  );
}

function Change({ approval, edited }: Pick<EditedProps, "approval" | "edited">) {
  if ("wrong" in edited) return <p className="sb-dim">As soon as it is JSON again.</p>;
  const before = approval.arguments;
  return (
    <JsonChange
      before={before}
      after={edited.value}
      name="From what was asked to what is approved"
    />
  );
}

// News: an approval begins to wait, or an agent meets its limit, while somebody looks elsewhere.
// Promises: in the page for everyone, by the system only for who has asked for it, and then once
// for all tabs; many at once are one message with their number; agents' text is text; nothing is
// said on the screen that shows it anyway.
// Leaves to others: hearing of it (`live.ts`), the choice (`notify.ts`).

import { notifications } from "@mantine/notifications";
import type { Event } from "@signalbox/sdk";
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { onNews } from "../live.ts";
import { plain } from "../parts/plain.tsx";
import { isNotifyChosen } from "./notify.ts";

/** One message: what happened, and the screen that shows it. */
type News = {
  readonly kind: "approval" | "exhausted";
  readonly title: string;
  readonly text: string;
  readonly to: "/approvals" | "/accounts";
  readonly id?: string;
};

/** What comes within this time is told together. */
const TOGETHER_MS = 400;

const said = (value: unknown): string =>
  typeof value === "string" ? plain(value).slice(0, 160) : "";

function newsOf({ type, data }: Event): News {
  if (type === "approval.requested") {
    const id = said(data["approval_id"]);
    const text = `${said(data["title"])} · ${said(data["action"])}, risk ${said(data["risk"])}`;
    return { kind: "approval", title: "An approval waits", text, to: "/approvals", id };
  }
  const title = `${said(data["agent"])} is exhausted`;
  return { kind: "exhausted", title, text: said(data["reason"]), to: "/accounts" };
}

/** Several of a kind as one. */
function together(news: readonly News[]): News | undefined {
  const [first] = news;
  if (first === undefined || news.length === 1) return first;
  const n = news.length;
  const { kind, to } = first;
  const title = kind === "approval" ? `${n} approvals wait` : `${n} agents are exhausted`;
  return {
    kind,
    to,
    title,
    text: news
      .map((one) => one.text)
      .join("; ")
      .slice(0, 300),
  };
}

/** Tells of news while the shell is there. */
export function useNews(): void {
  const navigate = useNavigate();
  useEffect(() => {
    let waiting: { news: News; first: boolean }[] = [];
    let timer: number | undefined;
    const go = ({ to, id }: News): void => {
      window.focus();
      void navigate({ to, search: id === undefined ? {} : { id } });
    };
    const flush = (): void => {
      timer = undefined;
      const taken = waiting;
      waiting = [];
      for (const kind of ["approval", "exhausted"] as const) {
        const mine = taken.filter(({ news }) => news.kind === kind);
        const one = together(mine.map(({ news }) => news));
        if (one === undefined) continue;
        if (window.location.pathname !== one.to) tellInPage(one, () => go(one));
        if (mine.some(({ first }) => first)) tellBySystem(one, () => go(one));
      }
    };
    const stop = onNews((event, first) => {
      waiting.push({ news: newsOf(event), first });
      timer ??= window.setTimeout(flush, TOGETHER_MS);
    });
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, [navigate]);
}

function tellInPage({ title, text, kind }: News, go: () => void): void {
  const id = notifications.show({
    title,
    message: (
      <>
        <bdi>{text}</bdi>{" "}
        <button
          type="button"
          className="sb-more"
          onClick={() => {
            notifications.hide(id);
            go();
          }}
        >
          {kind === "approval" ? "Look at it" : "See accounts"}
        </button>
      </>
    ),
    color: "yellow",
    autoClose: 12_000,
    closeButtonProps: { "aria-label": "Close" },
  });
}

function tellBySystem({ title, text, kind, id }: News, go: () => void): void {
  if (!isNotifyChosen() || (document.visibilityState === "visible" && document.hasFocus())) return;
  const message = new Notification(title, { body: text, tag: `signalbox ${id ?? kind}` });
  message.addEventListener("click", () => {
    message.close();
    go();
  });
}

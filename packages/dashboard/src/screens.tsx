// All screens, in the order of the navigation: a new one is its file and a row here.
// Promises: routes, navigation, palette and the list of keys are made from this table alone.
// Leaves to others: each screen (`pages/`).

import { lazyRouteComponent } from "@tanstack/react-router";
import type { RouteComponent } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { approvalKeys } from "./pages/approvals/keys.ts";
import { FleetPage } from "./pages/fleet/fleet-page.tsx";
import { WaitingMark } from "./shell/waiting-mark.tsx";

export type Screen = {
  readonly path: string;
  /** In the navigation; null: reached from another screen. */
  readonly label: string | null;
  /** `g` and this letter lead there. */
  readonly letter?: string;
  /** Beside the label: how many wait there. */
  readonly mark?: ComponentType;
  /** Keys of this screen, for the list of keys. */
  readonly keys?: readonly (readonly [key: string, what: string])[];
  readonly page: RouteComponent;
};

export const screens: readonly Screen[] = [
  { path: "/", label: "Fleet", letter: "f", page: FleetPage },
  {
    path: "/runs",
    label: "Runs",
    letter: "r",
    page: lazyRouteComponent(() => import("./pages/runs/runs-page.tsx"), "RunsPage"),
  },
  {
    path: "/runs/$id",
    label: null,
    page: lazyRouteComponent(() => import("./pages/run/run-page.tsx"), "RunPage"),
  },
  {
    path: "/approvals",
    label: "Approvals",
    letter: "i",
    mark: WaitingMark,
    keys: approvalKeys,
    page: lazyRouteComponent(() => import("./pages/approvals/approvals-page.tsx"), "ApprovalsPage"),
  },
  {
    path: "/dead-letters",
    label: "Dead letters",
    letter: "d",
    page: lazyRouteComponent(() => import("./pages/dead-letters/groups-page.tsx"), "GroupsPage"),
  },
  {
    path: "/dead-letters/$fingerprint",
    label: null,
    page: lazyRouteComponent(() => import("./pages/dead-letters/group-page.tsx"), "GroupPage"),
  },
  {
    path: "/usage",
    label: "Usage and cost",
    letter: "u",
    page: lazyRouteComponent(() => import("./pages/usage/usage-page.tsx"), "UsagePage"),
  },
  {
    path: "/queues",
    label: "Queues",
    letter: "q",
    page: lazyRouteComponent(() => import("./pages/queues/queues-page.tsx"), "QueuesPage"),
  },
  {
    path: "/runtimes",
    label: "Runtimes",
    letter: "t",
    page: lazyRouteComponent(() => import("./pages/runtimes/runtimes-page.tsx"), "RuntimesPage"),
  },
  {
    path: "/accounts",
    label: "Accounts",
    letter: "a",
    page: lazyRouteComponent(() => import("./pages/accounts/accounts-page.tsx"), "AccountsPage"),
  },
  {
    path: "/webhooks",
    label: "Webhooks",
    letter: "w",
    page: lazyRouteComponent(() => import("./pages/webhooks/webhooks-page.tsx"), "WebhooksPage"),
  },
  {
    path: "/webhooks/$id",
    label: null,
    page: lazyRouteComponent(() => import("./pages/webhooks/webhook-page.tsx"), "WebhookPage"),
  },
  {
    path: "/audit",
    label: "Audit",
    letter: "l",
    page: lazyRouteComponent(() => import("./pages/audit/audit-page.tsx"), "AuditPage"),
  },
  {
    path: "/health",
    label: "Health",
    letter: "h",
    page: lazyRouteComponent(() => import("./pages/health/health-page.tsx"), "HealthPage"),
  },
  {
    path: "/settings",
    label: "Settings and keys",
    letter: "s",
    page: lazyRouteComponent(() => import("./pages/settings/settings-page.tsx"), "SettingsPage"),
  },
];

/** Those that the navigation shows. */
export const navigation = screens.flatMap((screen) =>
  screen.label === null ? [] : [{ ...screen, label: screen.label }],
);

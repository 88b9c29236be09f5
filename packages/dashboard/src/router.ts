// Addresses: made from the table of screens.
// Promises: what a screen is filtered by stands in the address as plain `name=value`, so that it
// can be read, sent and bookmarked; nothing secret ever does.
// Leaves to others: what the parameters mean (the screens).

import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { screens } from "./screens.tsx";
import { Broken } from "./shell/broken.tsx";
import { Nowhere } from "./shell/nowhere.tsx";
import { Shell } from "./shell/shell.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: Nowhere,
  errorComponent: Broken,
});

const routes = screens.map(({ path, page }) =>
  createRoute({ getParentRoute: () => root, path, component: page, errorComponent: Broken }),
);

const parse = (search: string): { [name: string]: string } =>
  Object.fromEntries(new URLSearchParams(search));

function write(search: { [name: string]: unknown }): string {
  const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}

export const router = createRouter({
  routeTree: root.addChildren(routes),
  defaultPreload: "intent",
  parseSearch: parse,
  stringifySearch: write,
});

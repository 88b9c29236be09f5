// The first line that runs: styles, then the application into its place.
// Promises: a key kept for this tab is tried before anything is drawn, so that no screen flashes.
// Leaves to others: everything (`app.tsx`).

import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "./tokens.css";
import "./shell.css";
import "./parts.css";
import "./tables.css";
import "./pages.css";

import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { resume } from "./session.ts";

const root = document.querySelector("#root");
if (root !== null) {
  // A key that opens nothing any more leads to the sign-in, which says so.
  await resume().catch(() => undefined);
  createRoot(root).render(<App />);
}

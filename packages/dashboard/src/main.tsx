// The first line that runs: styles, then the application into its place.
// Promises: the session of this browser is taken up before anything is drawn, so that no screen
// flashes; a login link waits for its press.
// Leaves to others: everything (`app.tsx`).

import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "./tokens.css";
import "./shell.css";
import "./parts.css";
import "./tables.css";
import "./pages.css";
import "./admin.css";
import "./inbox.css";

import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { linkCode, resume } from "./session.ts";

const root = document.querySelector("#root");
if (root !== null) {
  // Without an answer the sign-in is shown, and says so when it is tried.
  if (linkCode === null) await resume().catch(() => undefined);
  createRoot(root).render(<App />);
}

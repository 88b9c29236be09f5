// How the dashboard is built: into the server package, as files that need nothing from elsewhere.
// Promises: every name holds the hash of its content; no inline script or style, so that the
// server's strict policy holds; nothing is loaded from another host, at build time or later.
// Leaves to others: compressing the files (tools/build-dashboard.mjs), serving them (server, http).

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../server/dist/dashboard",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1_200,
  },
});

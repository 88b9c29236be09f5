// The page of a server that somebody opens in a browser: that it runs, and where to go on.
// Promises: static HTML with a style sheet of its own; no script, no third party, nothing of any
// project; readable at 360 px, in light and dark.
// Leaves to others: the dashboard.

/** The page. */
export function statusPage(version: string, ready: boolean): string {
  const state = ready
    ? `<p class="state ready">Ready</p>`
    : `<p class="state waiting">Starting, or the database does not answer</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signalbox</title>
<link rel="stylesheet" href="/status.css">
<link rel="icon" href="/status.svg" type="image/svg+xml">
</head>
<body>
<main>
<h1>Signalbox <small>${escaped(version)}</small></h1>
${state}
<p>The control plane for fleets of AI agents. Runs, events and everything else need a key, so this
page shows none of them.</p>
<h2>On this machine</h2>
<pre><code>signalbox runs list
signalbox submit --agent NAME --input '{"hello": "world"}'
signalbox worker --agent NAME -- COMMAND
signalbox doctor</code></pre>
<h2>For programs</h2>
<ul>
<li><a href="/openapi.json">openapi.json</a>: every route, OpenAPI 3.1</li>
<li><a href="/readyz">readyz</a> and <a href="/healthz">healthz</a>: for probes</li>
</ul>
</main>
</body>
</html>
`;
}

const replacements: { readonly [char: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (char) => replacements[char] ?? "");
}

export const statusStyle = `:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h1 small { font-weight: normal; opacity: 0.75; }
h2 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
pre { padding: 0.75rem; overflow-x: auto; border: 1px solid; border-radius: 6px; }
.state { display: inline-block; padding: 0.1rem 0.75rem; border-radius: 1rem; border: 2px solid; }
.ready { border-color: #1a7f37; }
.waiting { border-color: #b35900; }
`;

export const statusIcon =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">` +
  `<rect x="3" y="1" width="10" height="14" rx="3" fill="#333"/>` +
  `<circle cx="8" cy="5" r="2.5" fill="#d33"/><circle cx="8" cy="11" r="2.5" fill="#2a4"/></svg>`;

// The page a login link opens, and its script.
// Promises: the code stands behind the `#`, so no request carries it but the one that uses it up;
// it is taken out of the address before anything else; no third party, no HTML made of text; who
// comes without a code is told how to get one.
// Leaves to others: opening the session (`routes/sessions.ts`).

/** The page. The button keeps programs that only look at links from using one up. */
export const loginPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signalbox: log in</title>
<link rel="stylesheet" href="/status.css">
<link rel="icon" href="/status.svg" type="image/svg+xml">
<script src="/login.js" defer></script>
</head>
<body>
<main>
<h1>Signalbox</h1>
<p id="state" role="status">A login link is needed. This prints one, good for ten minutes:</p>
<pre id="how"><code>signalbox login</code></pre>
<p><button id="open" type="button" hidden>Log in</button></p>
</main>
</body>
</html>
`;

export const loginScript = `"use strict";
const code = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const state = document.getElementById("state");
const how = document.getElementById("how");
const button = document.getElementById("open");
async function open() {
  button.disabled = true;
  state.textContent = "Logging in …";
  try {
    const answer = await fetch("/v1/sessions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
    });
    if (answer.ok) return location.replace("/");
    state.textContent = (await answer.json()).detail;
    how.hidden = false;
  } catch {
    state.textContent = "The server does not answer.";
    button.disabled = false;
  }
}
if (code !== "") {
  state.textContent = "This link opens a session in this browser.";
  how.hidden = true;
  button.hidden = false;
  button.addEventListener("click", open);
}
`;

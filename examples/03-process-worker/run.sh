#!/bin/sh
# A shell script as an agent: start a server and a worker, give it a run, read the register.
# Start it with: npm run build && sh examples/03-process-worker/run.sh
# Everything is forgotten at the end: the data lies in a temporary folder.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
signalbox="$here/../../packages/server/bin/signalbox.mjs"

SIGNALBOX_DATA=$(mktemp -d)
export SIGNALBOX_DATA
server=""
worker=""
finish() {
  # The worker first: it signs off at the server.
  for pid in $worker $server; do
    kill "$pid" 2>/dev/null && wait "$pid" || true
  done
  rm -rf "$SIGNALBOX_DATA"
}
trap finish EXIT

node "$signalbox" up --listen 127.0.0.1:0 --log-level warn &
server=$!
# There as soon as the server answers, and how the commands below find it.
until [ -f "$SIGNALBOX_DATA/server.json" ]; do
  kill -0 "$server"
  sleep 0.1
done

node "$signalbox" worker --agent shouter -- sh "$here/shout.sh" "{input.text}" &
worker=$!

node "$signalbox" submit --agent shouter --input '{"text": "hello, world"}' --wait
node "$signalbox" runs show last
node "$signalbox" events

#!/bin/sh
# An agent of two lines. Signalbox starts it once per run; what it prints is logged, exit 0
# completes the run, and what it writes to $SIGNALBOX_OUTPUT is the output.
echo "run $SIGNALBOX_RUN_ID, attempt $SIGNALBOX_ATTEMPT: $1"
printf '{"shouted": "%s"}' "$(printf %s "$1" | tr '[:lower:]' '[:upper:]')" >"$SIGNALBOX_OUTPUT"

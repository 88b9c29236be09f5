#!/bin/sh
# A Signalbox worker in curl and sh: sh worker.sh PROGRAM [ARGUMENT...]
# Claims runs of queue `curl`, one at a time; per run the program gets the claim on its standard
# input. The lease is renewed in the background; a cancelled or lost run ends the program.
# Needs SIGNALBOX_URL and SIGNALBOX_KEY.
set -u

runtime="curl-$(hostname)-$$"
lease_ms=30000
beat_every_s=8
folder=$(mktemp -d)
stopping=

request() { # request METHOD PATH JSON: prints the answer; not 0 when it is a refusal
  curl --silent --show-error --fail-with-body --max-time 40 --request "$1" "$SIGNALBOX_URL$2" \
    --header "Authorization: Bearer $SIGNALBOX_KEY" --header "Content-Type: application/json" \
    --data "$3"
}

json_string() { # standard input as one JSON string
  tr -d '\000-\010\013\014\016-\037' | awk '
    BEGIN { printf "\"" }
    NR > 1 { printf "\\n" }
    {
      gsub(/\\/, "\\\\&"); gsub(/"/, "\\\""); gsub(/\t/, "\\t"); gsub(/\r/, "\\r")
      printf "%s", $0
    }
    END { printf "\"" }'
}

keep_lease() { # until killed; ends the program when it is to stop, its run is over, or we are dead
  second=0
  while sleep 1 && kill -0 $$ 2>/dev/null && [ ! -e "$folder/stop" ]; do
    second=$((second + 1))
    [ $((second % beat_every_s)) -eq 0 ] || continue
    case $(request POST "/v1/runs/$run/heartbeat" "{$fence}") in
      *'"kind":'* | *stale_fencing_token*) break ;;
    esac
  done
  kill "$program" 2>/dev/null
}

read_claim() { # the three values that go along with everything said about the run
  run=$(sed -n 's/^{"claims":\[{"run":{"id":"\(run_[a-z0-9]*\)".*/\1/p' "$folder/claim")
  attempt=$(sed -n 's/.*"attempt_id":"\(att_[a-z0-9]*\)".*/\1/p' "$folder/claim")
  token=$(sed -n 's/.*"fencing_token":\([0-9]*\).*/\1/p' "$folder/claim")
  fence="\"attempt_id\": \"$attempt\", \"fencing_token\": $token"
}

report() { # report EXIT_CODE: the output of the program, or why it failed
  if [ "$1" -eq 0 ]; then
    request POST "/v1/runs/$run/complete" "{$fence, \"output\": $(json_string < "$folder/output")}"
  elif [ -n "$stopping" ]; then
    request POST "/v1/runs/$run/release" "{$fence}"
  else
    message=$(tail -c 2000 "$folder/errors" | json_string)
    error="{\"code\": \"E-EXIT-$1\", \"message\": $message}"
    request POST "/v1/runs/$run/fail" "{$fence, \"error\": $error}"
  fi
  echo
}

stop() { # the program is ended by `keep_lease`: here its number may not be known yet
  stopping=yes
  : > "$folder/stop"
}
trap stop INT TERM

request PUT "/v1/runtimes/$runtime" '{"version": "1"}' || exit 69
echo
ask="{\"runtime\": \"$runtime\", \"queues\": [\"curl\"], \"free\": 1,
  \"lease_ms\": $lease_ms, \"wait_ms\": 5000}"

while [ -z "$stopping" ]; do
  request POST /v1/claims "$ask" > "$folder/claim" || { sleep 2; continue; }
  read_claim
  [ -n "$run" ] || continue
  request POST "/v1/runs/$run/start" "{$fence}" > /dev/null || continue
  "$@" < "$folder/claim" > "$folder/output" 2> "$folder/errors" &
  program=$!
  keep_lease &
  beats=$!
  code=0
  wait "$program" || code=$?
  # A signal ends the wait, not the program: wait for its end.
  while kill -0 "$program" 2>/dev/null; do wait "$program" || code=$?; done
  kill "$beats" 2>/dev/null
  report "$code"
done

request PUT "/v1/runtimes/$runtime" '{"state": "offline"}' > /dev/null
rm -r "$folder"

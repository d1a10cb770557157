#!/bin/sh
# Runs in the load's pod: puts with a record, then the check of what was acknowledged. Prints each result behind a mark with its exit code.
#   load.sh ENDPOINTS SETTLE_SECONDS ARGUMENT...    a negative SETTLE_SECONDS: no record and no check
exec 2>&1 # one stream, so that no line of the other one comes between a mark and its result
endpoints=$1 settle=$2
shift 2
[ "$settle" -lt 0 ] || set -- "$@" --record /record/writes
whitewater-load put --endpoints "$endpoints" "$@" --quiet --json - >/record/put.json &
echo $! >/record/pid
wait $!
echo "== put $?"
cat /record/put.json
[ "$settle" -ge 0 ] || exit 0
sleep "$settle"
whitewater-load check --endpoints "$endpoints" --record /record/writes --json - >/record/check.json
code=$?
echo "== check $code"
cat /record/check.json

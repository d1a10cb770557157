# shellcheck shell=bash
# The step `fuzz` of ./dev test: builds the targets of test/fuzz and runs each for a bounded time from its own seeds, with a
# fixed random seed, as many at once as there are processors. Sourced by ./dev.

# The same inputs everywhere, fewer of them on a slow machine: what nobody has seen yet is for longer runs by hand.
fuzz_runs=300000
fuzz_seconds=10
fuzz_rss_mb=1024
fuzz_malloc_mb=32 # one allocation: a frame or a chunk at its bound is 5 MiB

# fuzz_target NAME FOLDER: one line, and how to replay it when it fails.
fuzz_target() {
  local name=$1 folder=$2 program=build/fuzz/test/fuzz/$1 log=$2/$1.log runs
  mkdir -p "$folder/$name"
  "$program" "--write-seeds=$folder/$name" || return 1
  if "$program" -seed=1 -runs="$fuzz_runs" -max_total_time="$fuzz_seconds" -max_len=4096 -timeout=60 -rss_limit_mb="$fuzz_rss_mb" \
    -malloc_limit_mb="$fuzz_malloc_mb" -print_final_stats=1 "-artifact_prefix=$folder/$name-" "$folder/$name" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    say "$name: $runs inputs"
    return 0
  fi
  grep -m1 -E 'assertion failed|ERROR: |runtime error' "$log" || tail -n 5 "$log"
  say "$name: FAILED, everything is in $log"
  say "  to replay it: $program $(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
  return 1
}

fuzz_tests() {
  local folder=build/fuzz/runs program failed=0
  local -a pids=()
  rm -rf "$folder"
  mkdir -p "$folder"
  for program in build/fuzz/test/fuzz/fuzz_*; do
    if [ ! -x "$program" ] || [ ! -f "$program" ]; then continue; fi
    if [ ${#pids[@]} -ge "$(nproc)" ]; then
      wait "${pids[0]}" || failed=1
      pids=("${pids[@]:1}")
    fi
    fuzz_target "${program##*/}" "$folder" &
    pids+=($!)
  done
  [ ${#pids[@]} -gt 0 ] || {
    say "no fuzz target was built"
    return 1
  }
  for program in "${pids[@]}"; do wait "$program" || failed=1; done
  return "$failed"
}

# shellcheck shell=bash
# What the parts of ./dev share: messages, times, and process ids that are ours. Sourced by ./dev in the repository's root.

run_dir=$PWD/.run
export log_dir=$PWD/build/logs

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

now_ms() {
  local now=${EPOCHREALTIME/[.,]/}
  echo "${now%???}"
}

# seconds_since MS: "2.4"
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

require_number() { # NAME VALUE MIN MAX
  [[ $2 =~ ^[0-9]+$ ]] || die "$1: \"$2\" is not a number"
  { [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; } || die "$1: $2 is not in $3..$4"
}

# The kernel's start time of a process: with the pid it names one process for as long as the machine runs.
process_start() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) } # the second field, the name, may hold blanks
  local fields
  read -r -a fields <<<"$stat"
  [ "${fields[0]}" != Z ] || return 1
  echo "${fields[19]}"
}

# remember_process NAME PID: writes .run/NAME.pid
remember_process() { echo "$2 $(process_start "$2" || echo gone)" >"$run_dir/$1.pid"; }

# Prints the pid of NAME if that very process still runs.
running_pid() {
  local pid start
  [ -f "$run_dir/$1.pid" ] || return 1
  read -r pid start <"$run_dir/$1.pid" || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  [ "$(process_start "$pid" || true)" = "$start" ] || return 1
  echo "$pid"
}

# end_processes SECONDS NAME...: SIGTERM to all, a bounded wait, then SIGKILL with a message.
end_processes() {
  local limit_ms=$(($(now_ms) + $1 * 1000)) name pid
  shift
  local -a left=()
  for name in "$@"; do
    if pid=$(running_pid "$name"); then
      kill -TERM "$pid" 2>/dev/null || true
      left+=("$name")
    else
      rm -f "$run_dir/$name.pid"
    fi
  done
  while [ ${#left[@]} -gt 0 ]; do
    local -a still=()
    for name in "${left[@]}"; do
      if running_pid "$name" >/dev/null; then still+=("$name"); else rm -f "$run_dir/$name.pid"; fi
    done
    left=("${still[@]+"${still[@]}"}")
    [ ${#left[@]} -gt 0 ] || return 0
    if [ "$(now_ms)" -gt "$limit_ms" ]; then
      for name in "${left[@]}"; do
        if pid=$(running_pid "$name"); then
          warn "$name (pid $pid) did not end in time; killing it. Its last lines: $run_dir/$name.log"
          kill -KILL "$pid" 2>/dev/null || true
        fi
        rm -f "$run_dir/$name.pid"
      done
      return 0
    fi
    sleep 0.02
  done
}

# shellcheck shell=bash
# ./dev test: every check and every test, each timed, with a summary at the end. A failed step does not hide the later ones.
# Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}"

failed_steps=()
step_times=()
beside=""

run_step() { # NAME COMMAND...
  local name=$1 started
  shift
  [ -z "$only_step" ] || [ "$only_step" = "$name" ] || return 0
  step "$name"
  started=$(now_ms)
  if "$@"; then
    step_times+=("$name $(seconds_since "$started") s")
  else
    step_times+=("$name $(seconds_since "$started") s FAILED")
    failed_steps+=("$name")
  fi
}

bash_files() {
  local file first
  while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    first=""
    IFS= read -r first <"$file" 2>/dev/null || true
    if [[ $file == *.sh ]] || [[ $first == '#!'*bash* ]]; then echo "$file"; fi
  done < <(git ls-files -z --cached --others --exclude-standard)
}

check_scripts() {
  local -a files
  mapfile -t files < <(bash_files)
  shellcheck --external-sources "${files[@]}" && say "shellcheck: ${#files[@]} files"
}

check_layering() { python3 tools/check_layers_test.py 2>&1 | tail -n 3 && python3 tools/check_layers.py; }

check_formatting() {
  local -a files
  mapfile -t files < <(git ls-files 'src/*.hpp' 'src/*.cpp' 'test/*.hpp' 'test/*.cpp' 'bench/*.hpp' 'bench/*.cpp')
  clang-format-19 --dry-run -Werror "${files[@]}" || {
    say "To mend it: clang-format-19 -i FILE"
    return 1
  }
  say "clang-format: ${#files[@]} files"
}

# With the commands of the preset dev, which compiles each file for itself.
check_with_commands() { (configure_preset dev) && python3 "$1" --build-dir build/dev; }

# What these decide without a cluster.
check_kind() { python3 test/kind/test_kind.py && python3 bench/kind/test_bench.py; }

# Debian has no helm: it is built with Go, once. The rest of the tests does not depend on it, so a machine without Go goes on.
check_chart() {
  if ! [ -x .deps/helm ] || ! [ -x .deps/helm-docs ]; then
    if ! command -v go >/dev/null; then
      warn "SKIPPED: the tests of the Helm chart need Go to build helm. Debian: apt-get install golang; then ./dev test --only chart"
      step_times+=("chart SKIPPED: no Go, so no helm")
      return 0
    fi
  fi
  tools/fetch_helm .deps && python3 test/chart/run.py
}

check_seccomp() {
  if ! command -v go >/dev/null; then
    warn "SKIPPED: whether docker/seccomp is what its generator writes needs Go. Debian: apt-get install golang; then ./dev test --only seccomp"
    step_times+=("seccomp SKIPPED: no Go to run its generator with")
    return 0
  fi
  tools/seccomp/generate --check
}

# In a shell of its own, since a build that fails ends it.
run_fuzz() { (build_targets fuzz fuzz && fuzz_tests); }

unit_tests() { ctest --test-dir build/release -j2 --output-on-failure --timeout 300; }

# Minutes of compiling, of which the tests need little: they run beside them at the lowest priority.
compiling_checks() {
  run_step headers check_with_commands tools/check_headers
  [ "$quick" = 1 ] || run_step tidy check_with_commands tools/check_tidy
}

# shellcheck disable=SC2030,SC2031 # what the steps in the background were is read from the file
start_beside() { # COMMAND, a function that runs steps
  mkdir -p "$log_dir"
  : >"$log_dir/beside.times"
  say "beside the next steps, with its output in $log_dir/beside.log: $1"
  set -m # a process group of its own, to end all of it
  (
    renice -n 19 -p "$BASHPID" >/dev/null
    failed_steps=() step_times=()
    "$1"
    printf '%s\n' "${step_times[@]}" >"$log_dir/beside.times"
  ) >"$log_dir/beside.log" 2>&1 &
  beside=$!
  set +m
  trap 'kill -- "-$beside" 2>/dev/null || true' EXIT
}

# shellcheck disable=SC2031
await_beside() {
  local line
  step "what ran beside the tests"
  wait "$beside" || true
  trap - EXIT
  cat "$log_dir/beside.log"
  [ -s "$log_dir/beside.times" ] || failed_steps+=("compiling_checks")
  while IFS= read -r line; do
    step_times+=("$line")
    [[ $line != *FAILED ]] || failed_steps+=("${line%% *}")
  done <"$log_dir/beside.times"
}

run_tests() {
  local quick=0 only_step="" started
  while [ $# -gt 0 ]; do
    case "$1" in
      --quick) quick=1 ;;
      --only)
        [ $# -ge 2 ] || die "test: --only needs the name of a step"
        only_step=$2
        shift
        ;;
      *) die "test: unknown argument \"$1\" (--quick, --only STEP)" ;;
    esac
    shift
  done
  started=$(now_ms)
  install_packages
  case "$only_step" in
    "" | unit | integration) build_targets release ;;
    headers | tidy) ;;
    fuzz) ;;
    shellcheck | layers | format | kind | chart | seccomp) ;;
    *) die "test: no step \"$only_step\"; ./dev help lists them" ;;
  esac
  run_step shellcheck check_scripts
  run_step layers check_layering
  run_step format check_formatting
  run_step kind check_kind
  run_step chart check_chart
  run_step seccomp check_seccomp
  if [ -z "$only_step" ]; then start_beside compiling_checks; else compiling_checks; fi
  run_step unit unit_tests
  [ "$quick" = 1 ] || run_step fuzz run_fuzz
  run_step integration python3 test/integration/run.py --build-dir build/release
  [ -n "$only_step" ] || await_beside
  say ""
  printf '  %s\n' "${step_times[@]}"
  if [ ${#failed_steps[@]} -gt 0 ]; then
    die "FAILED after $(seconds_since "$started") s: ${failed_steps[*]}. One step alone: ./dev test --only ${failed_steps[0]}"
  fi
  say "OK: every step passed in $(seconds_since "$started") s"
}

# Beyond what `test` has time for. The seeds are drawn by the clock, so that every soak sees others; a failure prints its own.
run_soak() {
  local seeds=10000 start
  start=$(($(now_ms) % 1000000000 * 1000))
  while [ $# -gt 0 ]; do
    case "$1" in
      --seeds | --start)
        [ $# -ge 2 ] || die "soak: $1 needs a number"
        require_number "soak $1" "$2" 1 1000000000000000
        if [ "$1" = --seeds ]; then seeds=$2; else start=$2; fi
        shift
        ;;
      *) die "soak: unknown argument \"$1\" (--seeds N, --start S)" ;;
    esac
    shift
  done
  install_packages
  build_targets release ww_sim
  build/release/bin/ww_sim --start "$start" --seeds "$seeds" --jobs "$(nproc)"
}

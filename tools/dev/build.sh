# shellcheck shell=bash
# ./dev build: CMake presets with visible progress. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}"

configure_preset() {
  local preset=$1 log=$log_dir/configure-$1.log
  [ -f "build/$preset/build.ninja" ] && return 0
  mkdir -p "$log_dir"
  step "Configuring the preset $preset"
  cmake --preset "$preset" >"$log" 2>&1 || {
    tail -n 25 "$log" >&2
    die "CMake failed; all of its output is in $log. If a package is missing: ./dev install. To start over: rm -r build/$preset"
  }
}

# build_targets PRESET TARGET...: ninja's own counter on a terminal, every tenth line of it elsewhere.
build_targets() {
  local preset=$1
  shift
  configure_preset "$preset"
  export NINJA_STATUS='[%f/%t] '
  local started
  started=$(now_ms)
  step "Building $preset: ${*:-everything}"
  if [ -t 1 ]; then
    cmake --build "build/$preset" ${1:+--target "$@"} || build_failed "$preset"
  else
    mkdir -p "$log_dir"
    cmake --build "build/$preset" ${1:+--target "$@"} 2>&1 | tee "$log_dir/build-$preset.log" | every_tenth_step ||
      build_failed "$preset"
  fi
  say "built in $(seconds_since "$started") s"
}

# Ninja's lines "[n/all] ..." where n ends in 0 or is the last, and every other line. Not awk: some buffer what they read.
every_tenth_step() {
  local line
  while IFS= read -r line; do
    if [[ ! $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || [[ ${BASH_REMATCH[1]} == *0 ]] ||
      [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]; then
      printf '%s\n' "$line"
    fi
  done
}

build_failed() {
  die "the build failed. The first error above is the one to read; if it names a missing header, run ./dev install.
  Killed without an error: too little memory; build with fewer jobs: ninja -C build/$1 -j1"
}

build_preset() {
  local preset=${1:-release}
  [ $# -eq 0 ] || shift
  install_packages
  cmake --list-presets 2>/dev/null | grep -q "\"$preset\"" || die "no preset \"$preset\"; cmake --list-presets shows them"
  build_targets "$preset" "$@"
}

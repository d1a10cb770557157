# shellcheck shell=bash
# ./dev install: the Debian packages of the build, the tests and ./dev up. Adds packages and touches nothing else of the
# machine. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}"

debian_version() {
  local id="" version=""
  [ -r /etc/os-release ] || return 0
  # shellcheck disable=SC1091
  id=$(. /etc/os-release && echo "${ID:-}")
  # shellcheck disable=SC1091
  version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  [ "$id" = debian ] && echo "$version"
  return 0
}

# Lines "package: why".
wanted_packages() {
  cat <<'LIST'
ca-certificates: downloads over https
clang-19: the compiler (GCC 12 of Debian 12 miscompiles coroutines)
lld-19: a linker that is fast enough for many small test programs
libstdc++-12-dev: the C++ library's headers
libclang-rt-19-dev: sanitizers and libFuzzer, for the presets asan, tsan and fuzz
clang-format-19: check of the formatting
clang-tidy-19: static analysis
cmake: the build
ninja-build: the build
pkg-config: finds liburing and c-ares
ccache: a second build takes seconds
git: the version that the executables report
liburing-dev: writing the log by io_uring
libc-ares-dev: DNS SRV queries
librocksdb-dev: the key-value store on disk
libssl-dev: hashes for the cluster's identity, TLS to the Kubernetes API
libcli11-dev: command lines
libfmt-dev: formatting
libspdlog-dev: log lines
catch2: unit tests
libbenchmark-dev: benchmarks
dnsmasq-base: a real DNS server for ./dev up and the tests (the program alone, no service)
nsd: a real authoritative DNS server for the tests of discovery (the program; its service is kept off)
unbound: a real DNS cache in front of it, with its negative caching (the program; its service is kept off)
curl: readiness checks and examples
iproute2: network namespaces whose links fail, for the integration tests
e2fsprogs: a file system on a disk that can stop answering, for the integration tests
mount: mounts that disk
libfaketime: steps the wall clock of one member in the integration tests
python3: checks and integration tests
python3-yaml: the tests of the Helm chart read what it renders
libseccomp2: members under the seccomp profiles of containers, without containers, in the integration tests
prometheus: promtool, which tests the chart's alerts (the program; its service is kept off)
shellcheck: check of the scripts
procps: ps
LIST
}

# Boost >= 1.86 comes from the release itself on Debian 13, from tools/fetch_boost on Debian 12.
release_packages() {
  case "$(debian_version)" in
    12*) wanted_packages ;;
    13*)
      wanted_packages | sed 's/^libstdc++-12-dev:/libstdc++-14-dev:/; s/(GCC 12 of Debian 12 miscompiles coroutines)/(the release'\''s own)/'
      echo "libboost1.88-dev: Asio, Beast and JSON"
      ;;
    *) wanted_packages ;;
  esac
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; }

missing_packages() {
  local package
  while IFS=: read -r package _; do
    is_installed "$package" || echo "$package"
  done < <(release_packages)
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# Runs apt-get, shows one line for each package that is done, keeps the rest in a file.
apt_install() {
  local log=$log_dir/apt.log
  mkdir -p "$log_dir"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" 2>&1 |
    tee "$log" | show_apt_progress
}

# A line for each package that is set up. Not awk: some buffer what they read.
show_apt_progress() {
  local line total="?" count=0
  while IFS= read -r line; do
    case "$line" in
      *" newly installed"*) [[ ! $line =~ ([0-9]+)\ newly ]] || total=${BASH_REMATCH[1]} ;;
      "Need to get "*) say "  $line" ;;
      "Setting up "*)
        count=$((count + 1))
        line=${line#Setting up }
        say "  [$count/$total] ${line%% *}"
        ;;
    esac
  done
}

# The tests run these servers themselves, on ports of their own, or not at all. As services they would take ports of this machine.
keep_services_off() {
  local package
  [ -d /run/systemd/system ] || return 0
  for package in "$@"; do
    case "$package" in
      nsd | unbound | prometheus) as_root systemctl mask "$package.service" >/dev/null 2>&1 || warn "cannot keep the service $package off" ;;
    esac
  done
}

check_machine() {
  local kernel major minor
  kernel=$(uname -r)
  major=${kernel%%.*}
  minor=${kernel#*.}
  minor=${minor%%.*}
  minor=${minor%%[!0-9]*}
  if [ "$major" -lt 5 ] || { [ "$major" -eq 5 ] && [ "${minor:-0}" -lt 15 ]; }; then
    warn "kernel $kernel: io_uring of kernels before 5.15 is not used; members will run on epoll, and say so"
  fi
  case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) warn "$(uname -m): only x86_64 and aarch64 are tried" ;;
  esac
}

install_packages() {
  local only_print=0
  case "${1:-}" in
    "") ;;
    --print) only_print=1 ;;
    *) die "install: unknown argument \"$1\" (--print lists the packages)" ;;
  esac
  if [ "$only_print" = 1 ]; then
    release_packages
    return
  fi
  check_machine
  case "$(debian_version)" in
    12* | 13*) ;;
    *)
      warn "this is neither Debian 12 nor 13: nothing is installed. ./dev install --print lists what is needed, by Debian's names, and Boost >= 1.86"
      return
      ;;
  esac
  local -a missing
  mapfile -t missing < <(missing_packages)
  if [ ${#missing[@]} -gt 0 ]; then
    step "Installing ${#missing[@]} Debian packages"
    release_packages | while IFS=: read -r package why; do
      is_installed "$package" || printf '  %-20s%s\n' "$package" "$why"
    done
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
      die "not root, and sudo is missing. Run as root, then try again:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    keep_services_off "${missing[@]}"
    if [ -z "$(apt-cache policy "${missing[@]}" 2>/dev/null | grep -v '(none)' | grep Candidate || true)" ] || ! apt_install "${missing[@]}"; then
      say "  the package lists are missing or old; updating them"
      as_root apt-get update -qq || die "apt-get update failed. Is there a network? Behind a proxy, set http_proxy. Then try again."
      apt_install "${missing[@]}" || die "apt-get could not install the packages; its output is in $log_dir/apt.log.
  No network: connect, or set http_proxy. Held or broken packages: \`apt-get -f install\` shows them."
    fi
  fi
  case "$(debian_version)" in
    12*) [ -f .deps/boost/usr/include/boost/version.hpp ] || fetch_boost ;;
  esac
}

fetch_boost() {
  step "Fetching the headers of Boost 1.88 into .deps/boost (Debian 12's Boost 1.81 corrupts data on io_uring)"
  tools/fetch_boost .deps/boost || die "the Boost headers could not be fetched. Is there a network? Then try again.
  Or give CMake a Boost >= 1.86 of your own: -DWHITEWATER_BOOST_INCLUDE_DIR=/path/to/include"
}

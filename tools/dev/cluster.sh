# shellcheck shell=bash
# ./dev up, status and down: a real DNS server and N members on loopback, configured by the names of the Kubernetes guide.
# Sourced by ./dev.

: "${run_dir:?this file is sourced by ./dev}"

net=${WHITEWATER_DEV_NET:-127.8.90} # the tests take another, so that they do not meet a cluster that is running
port=8090
dns_address=$net.53
dns_port=5390
service=whitewater-headless
domain=cluster.local
zone=$service.default.svc.$domain
members_max=9
ready_limit_ms=30000

member_names() { # N
  local i
  for ((i = 0; i < $1; ++i)); do echo "whitewater-$i"; done
}
member_address() { echo "$net.$((${1##*-} + 1))"; }
endpoints() { # N
  local i list=""
  for ((i = 1; i <= $1; ++i)); do list+=${list:+,}$net.$i:$port; done
  echo "$list"
}
recorded_members() { cat "$run_dir/members" 2>/dev/null || true; }

write_dns_config() { # N
  local i
  {
    echo "# Serves what Kubernetes' DNS serves for the guide's headless service, on loopback only."
    echo "port=$dns_port"
    echo "listen-address=$dns_address"
    echo "bind-interfaces"
    echo "no-resolv"
    echo "no-hosts"
    echo "no-poll"
    echo "local=/$domain/"
    echo "local-ttl=1" # Kubernetes says 30; a short one shows changes at once
    [ "$(id -u)" != 0 ] || echo "user=root"
    for ((i = 0; i < $1; ++i)); do
      echo "srv-host=_raft._tcp.$zone,whitewater-$i.$zone,$port,0,$((100 / $1))"
      echo "host-record=whitewater-$i.$zone,$net.$((i + 1))"
    done
  } >"$run_dir/dnsmasq.conf"
}

start_dns() { # N
  running_pid dnsmasq >/dev/null && return 0
  local dnsmasq pid
  dnsmasq=$(PATH=$PATH:/usr/sbin command -v dnsmasq) || die "dnsmasq is missing; ./dev install brings it (dnsmasq-base)"
  write_dns_config "$1"
  setsid "$dnsmasq" --keep-in-foreground --conf-file="$run_dir/dnsmasq.conf" --pid-file= --log-facility=- \
    </dev/null >"$run_dir/dnsmasq.log" 2>&1 &
  pid=$!
  remember_process dnsmasq "$pid"
}

start_member() { # NAME FOUNDERS
  local name=$1 address
  address=$(member_address "$name")
  local -a environment=(
    "SERVICE_NAME=$service" "SERVICE_PORT_NAME=raft" "NAMESPACE=default" "POD_NAME=$name" "POD_IP=$address"
    "WHITEWATER_DATA_DIR=$run_dir/$name" "WHITEWATER_BOOTSTRAP_EXPECT=$2"
    "WHITEWATER_DNS_SERVERS=$dns_address:$dns_port" "WHITEWATER_CLUSTER_DOMAIN=$domain"
  )
  [ "$2" != 1 ] || environment+=("WHITEWATER_BOOTSTRAP_SINGLE=true")
  setsid env -i "${environment[@]}" "$binary" serve </dev/null >>"$run_dir/$name.log" 2>&1 &
  remember_process "$name" "$!"
}

# One line on why a member is not ready, in its own words; nothing when it is.
member_reason() { # NAME
  local answer status
  if ! running_pid "$1" >/dev/null; then
    echo "ended: $(tail -n 1 "$run_dir/$1.log" 2>/dev/null)"
    return
  fi
  answer=$(curl -s --max-time 1 -w '\n%{http_code}' "http://$(member_address "$1"):$port/readyz?verbose" 2>/dev/null) || {
    echo "not listening yet"
    return
  }
  status=${answer##*$'\n'}
  [ "$status" = 200 ] && return
  answer=$(grep '^\[-\]' <<<"$answer" | head -n 1 || true)
  echo "${answer:-answers $status}"
}

wait_until_ready() { # N
  local started shown name reason
  started=$(now_ms)
  shown=$started
  local -a left
  mapfile -t left < <(member_names "$1")
  while true; do
    local -a still=() reasons=()
    for name in "${left[@]}"; do
      reason=$(member_reason "$name")
      [ -n "$reason" ] || continue
      still+=("$name")
      reasons+=("  $name: $reason")
      [[ $reason != ended:* ]] || {
        tail -n 5 "$run_dir/$name.log" >&2
        die "$name has ended; all of its lines are in $run_dir/$name.log. The other members still run: ./dev down ends them."
      }
    done
    [ ${#still[@]} -gt 0 ] || return 0
    left=("${still[@]}")
    if [ $(($(now_ms) - shown)) -gt 1500 ]; then
      shown=$(now_ms)
      say "  waiting for ${#left[@]} of $1 members, $(seconds_since "$started") s:"
      printf '  %s\n' "${reasons[@]}"
    fi
    if [ $(($(now_ms) - started)) -gt "$ready_limit_ms" ]; then
      printf '%s\n' "${reasons[@]}" >&2
      die "the cluster is not ready after $((ready_limit_ms / 1000)) s. The members still run and their lines are in $run_dir/*.log; ./dev down ends them."
    fi
    sleep 0.03
  done
}

check_each_member() { # N
  local i endpoint value got
  for ((i = 0; i < $1; ++i)); do
    endpoint=$net.$((i + 1)):$port
    value="through whitewater-$i at $(date -u +%H:%M:%S)"
    "$binary" put "dev/whitewater-$i" "$value" --endpoints "$endpoint" >/dev/null || die "the write through whitewater-$i failed"
    got=$("$binary" get "dev/whitewater-$i" --value-only --endpoints "$endpoint") || die "the read through whitewater-$i failed"
    [ "$got" = "$value" ] || die "whitewater-$i answered \"$got\" where \"$value\" was written"
  done
}

show_members() { "$binary" members --endpoints "$(endpoints "$1")"; }

show_hints() { # N
  cat <<HINTS

Three commands to try:
  ${binary#"$root"/} put greeting hello --endpoints $net.1:$port
  ${binary#"$root"/} get greeting --endpoints $net.$1:$port
  curl -s http://$net.1:$port/v3/kv/range -d '{"key":"$(printf greeting | base64)"}'
./dev status shows the members, ./dev down ends them. Logs: .run/*.log
HINTS
}

parse_up() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --members)
        [ $# -ge 2 ] || die "up: --members needs a number"
        count=$2
        shift
        ;;
      --members=*) count=${1#*=} ;;
      --build-dir)
        [ $# -ge 2 ] || die "up: --build-dir needs a folder"
        build_dir=$2
        shift
        ;;
      --build-dir=*) build_dir=${1#*=} ;;
      *) die "up: unknown argument \"$1\" (--members N, --build-dir DIR)" ;;
    esac
    shift
  done
}

# Without a number it is the one of the data in .run. A larger one adds members, which join by themselves; a smaller one
# counts once the others were taken out of the cluster.
settle_member_count() {
  local recorded i
  recorded=$(recorded_members)
  [ -z "$count" ] || require_number "--members" "$count" 1 "$members_max"
  count=${count:-${recorded:-3}}
  [ -n "$recorded" ] || return 0
  if [ "$recorded" = 1 ] && [ "$count" -gt 1 ]; then
    die "the cluster in .run/ is one of a single member, which nobody else looks for. ./dev down --wipe removes it"
  fi
  for ((i = count; i < recorded; ++i)); do
    running_pid "whitewater-$i" >/dev/null || continue
    die "there is a cluster of $recorded members in .run/. To take members out of it:
  whitewater scale --to $count --endpoints $(endpoints "$recorded")
  ./dev up --members $count"
  done
}

cluster_up() {
  local count="" build_dir="" binary="" started name running=0
  parse_up "$@"
  settle_member_count
  if [ -z "$build_dir" ]; then
    install_packages
    # The check for a finished build takes ninja a moment; its output is shown only when there is something to do.
    build_executables
    build_dir=build/release
  fi
  binary=$(cd "$build_dir/bin" 2>/dev/null && pwd)/whitewater || true
  [ -x "$binary" ] || die "$build_dir/bin/whitewater does not exist; ./dev build makes it"

  started=$(now_ms)
  mkdir -p "$run_dir"
  [ -f "$run_dir/founders" ] || echo "$count" >"$run_dir/founders"
  [ "$(recorded_members)" = "$count" ] || ! running_pid dnsmasq >/dev/null || end_processes 5 dnsmasq # it names other members
  for name in $(member_names "$count"); do
    running_pid "$name" >/dev/null && running=$((running + 1))
  done
  if [ "$running" = "$count" ] && running_pid dnsmasq >/dev/null; then
    say "The cluster of $count members is running already."
    show_members "$count"
    return
  fi
  if [ -f "$run_dir/members" ]; then
    say "Keeping the data in .run/ (./dev down --wipe removes it)."
  fi
  step "Starting $((count - running)) of $count members on $net.1..$count port $port, DNS on $dns_address:$dns_port"
  start_dns "$count"
  for name in $(member_names "$count"); do
    running_pid "$name" >/dev/null || start_member "$name" "$(<"$run_dir/founders")"
  done
  echo "$count" >"$run_dir/members"
  wait_until_ready "$count"
  say "Ready after $(seconds_since "$started") s."
  check_each_member "$count"
  say "Written and read through each member after $(seconds_since "$started") s."
  say ""
  show_members "$count"
  show_hints "$count"
}

build_executables() {
  if [ -f build/release/build.ninja ] && ninja -C build/release -n whitewater whitewater-epoll 2>/dev/null | grep -q 'no work to do'; then
    return 0
  fi
  build_targets release whitewater whitewater-epoll
}

cluster_status() {
  [ $# -eq 0 ] || die "status: takes no argument"
  local count name pid binary="" running=0
  count=$(recorded_members)
  [ -n "$count" ] || {
    say "No cluster here; ./dev up starts one."
    return 1
  }
  for name in dnsmasq $(member_names "$count"); do
    if pid=$(running_pid "$name"); then
      if [ "$name" != dnsmasq ]; then
        running=$((running + 1))
        binary=$(readlink "/proc/$pid/exe" || true)
      fi
      printf '%-14s pid %-8s %5s MB\n' "$name" "$pid" "$(awk '/^VmRSS/ { printf "%d", $2 / 1024 }' "/proc/$pid/status")"
    else
      printf '%-14s not running\n' "$name"
    fi
  done
  if [ "$running" = 0 ]; then
    say "The data of $count members is in .run/; ./dev up starts them again."
    return 1
  fi
  # Members on epoll run the second executable; the commands are the same.
  binary=${binary% (deleted)}
  [ -x "$binary" ] || binary=$root/build/release/bin/whitewater
  say ""
  show_members "$count"
}

cluster_down() {
  local wipe=0 count
  case "${1:-}" in
    "") ;;
    --wipe) wipe=1 ;;
    *) die "down: unknown argument \"$1\" (--wipe removes the data)" ;;
  esac
  count=$(recorded_members)
  if [ -n "$count" ]; then
    local -a names
    mapfile -t names < <(member_names "$count")
    end_processes 15 "${names[@]}"
  fi
  end_processes 5 dnsmasq
  if [ "$wipe" = 1 ]; then
    rm -rf "$run_dir"
    say "The cluster is down and its data is removed."
  elif [ -n "$count" ]; then
    say "The cluster is down; its data stays in .run/ (./dev down --wipe removes it)."
  else
    say "No cluster here."
  fi
}

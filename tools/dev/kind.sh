# shellcheck shell=bash
# ./dev kind: the guide's manifests, failures and the benchmark on a real Kubernetes cluster. It works on the cluster that KUBECONFIG names, or on one
# of its own, made by kind. It never takes the cluster of ~/.kube/config. Sourced by ./dev.

: "${run_dir:?this file is sourced by ./dev}"

kind_name=whitewater
kind_config=$run_dir/kind/kubeconfig # of the cluster that is ours; its presence says that there is one

kind_usage="kind: up, down, test discovery, test chart, or bench (with --help each of the last three tells more)"

require_tool() { # NAME WHERE
  command -v "$1" >/dev/null || die "$1 is missing: $2"
}

use_cluster() {
  require_tool kubectl "https://kubernetes.io/docs/tasks/tools/"
  if [ -z "${KUBECONFIG:-}" ]; then
    [ -f "$kind_config" ] || die "no cluster: \`./dev kind up\` makes one with kind, or set KUBECONFIG to one that exists"
    export KUBECONFIG=$kind_config
  fi
  kubectl get --raw /readyz --request-timeout=10s >/dev/null 2>&1 ||
    die "the cluster of KUBECONFIG=$KUBECONFIG does not answer. See: kubectl get --raw /readyz"
}

kind_up() {
  [ $# -eq 0 ] || die "kind up: takes no arguments"
  if [ -z "${KUBECONFIG:-}" ] && [ ! -f "$kind_config" ]; then
    require_docker
    require_tool kind "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
    kind get clusters 2>/dev/null | grep -qx "$kind_name" &&
      die "there is a kind cluster \"$kind_name\" that ./dev did not make; set KUBECONFIG to use it"
    mkdir -p "$run_dir/kind"
    printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes: [{role: control-plane}, {role: worker}, {role: worker}, {role: worker}]\n' \
      >"$run_dir/kind/cluster.yaml"
    step "Making the kind cluster \"$kind_name\" with three workers"
    kind create cluster --name "$kind_name" --config "$run_dir/kind/cluster.yaml" --kubeconfig "$kind_config" --wait 180s \
      ${WHITEWATER_KIND_NODE_IMAGE:+--image "$WHITEWATER_KIND_NODE_IMAGE"} || {
      rm -f "$kind_config"
      die "kind could not make the cluster. Without a registry, name a node image that Docker holds: WHITEWATER_KIND_NODE_IMAGE"
    }
  fi
  use_cluster
  python3 test/kind/run.py prepare
  say "use it with: export KUBECONFIG=$KUBECONFIG"
}

kind_test() {
  local what=${1:-}
  local -a program
  case "$what" in
    discovery) program=(test/kind/run.py discovery) ;;
    chart) program=(test/kind/chart.py) ;;
    *) die "$kind_usage" ;;
  esac
  shift
  case " $* " in
    *" --help "* | *" --list "*) exec python3 "${program[@]}" "$@" ;;
  esac
  use_cluster
  python3 "${program[@]}" "$@"
}

# kind_bench [--build-dir DIR] ARGUMENT...: the load generator comes from a build folder, the members from the image.
kind_bench() {
  local build=build/release
  case " $* " in
    *" --help "* | *" -h "* | *" --list "*) exec python3 bench/kind/run.py "$@" ;;
  esac
  if [ "${1:-}" = --build-dir ]; then
    [ $# -ge 2 ] || die "kind bench: --build-dir needs a folder"
    build=$2
    shift 2
  fi
  use_cluster
  build_load_image "$build"
  python3 bench/kind/run.py "$@"
}

# Removes what the tests left in the cluster, and the cluster itself if `kind up` made it.
kind_down() {
  [ $# -eq 0 ] || die "kind down: takes no arguments"
  if [ -n "${KUBECONFIG:-}" ] && [ "$KUBECONFIG" != "$kind_config" ]; then
    use_cluster
    python3 test/kind/run.py clean
    python3 bench/kind/run.py --clean
  elif [ -f "$kind_config" ]; then
    kind delete cluster --name "$kind_name" --kubeconfig "$kind_config"
    rm -f "$kind_config" "$run_dir/kind/cluster.yaml" # what failed steps left stays
  else
    say "there is no cluster of ./dev"
  fi
}

kind_command() {
  local command=${1:-}
  [ $# -gt 0 ] && shift
  case "$command" in
    up) kind_up "$@" ;;
    test) kind_test "$@" ;;
    bench) kind_bench "$@" ;;
    down) kind_down "$@" ;;
    *) die "$kind_usage" ;;
  esac
}

# shellcheck shell=bash
# ./dev image: the container image, compiled inside it or from executables that a build folder holds. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}"

image_name=whitewater:1 # the name in the manifests of the Kubernetes guide

image_usage="image: --from-build DIR takes the executables of a build folder (build/release) instead of compiling in the image,
  --base IMAGE another Debian 12 or 13 to compile in (debian:bookworm-slim), --tag NAME another name ($image_name)"

require_docker() {
  command -v docker >/dev/null || die "docker is missing. On Debian: apt-get install docker.io; elsewhere: https://docs.docker.com/engine/install/"
  docker info >/dev/null 2>&1 || die "docker does not answer: start its engine (systemctl start docker), and be in the group docker or root"
}

# Debian's Docker comes without buildx, which BuildKit needs there; the classic builder is as good here.
docker_build() {
  if docker buildx version >/dev/null 2>&1; then docker build "$@"; else DOCKER_BUILDKIT=0 docker build "$@"; fi
}

# docker_build_shown LOG ARGUMENT...: the builder's steps and ninja's counter, everything else into the file.
docker_build_shown() {
  local log=$1
  shift
  mkdir -p "$log_dir"
  docker_build "$@" 2>&1 | tee "$log" | every_tenth_step |
    { grep --line-buffered -E '^(Step |#[0-9]+ \[|==>|  \[[0-9]+/|\[[0-9]+/)' || true; } || {
    tail -n 25 "$log" >&2
    die "docker build failed; all of its output is in $log"
  }
}

build_image() {
  local build="" base="" tag=$image_name started context
  local -a arguments
  while [ $# -gt 0 ]; do
    case "$1" in
      --from-build | --base | --tag)
        [ $# -ge 2 ] || die "$image_usage"
        case "$1" in
          --from-build) build=$2 ;;
          --base) base=$2 ;;
          --tag) tag=$2 ;;
        esac
        shift
        ;;
      *) die "unknown argument \"$1\"
$image_usage" ;;
    esac
    shift
  done
  require_docker
  started=$(now_ms)
  arguments=(--tag "$tag" --build-arg "VERSION=$(sed -n 's/^project(whitewater VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)"
    --build-arg "REVISION=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)")
  [ -z "$base" ] || arguments+=(--build-arg "BASE_IMAGE=$base")
  if [ -n "$build" ]; then
    step "Image $tag from the executables of $build"
    context=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$context'" EXIT
    docker/collect_root "$build/bin" "$context/collected"
    cp -r dev tools docker "$context"
    docker_build_shown "$log_dir/image.log" --build-arg PREBUILT=yes --file docker/Dockerfile "${arguments[@]}" "$context"
  else
    step "Image $tag, compiled inside (ten to fifteen minutes on two cores; ./dev image --from-build build/release takes seconds)"
    docker_build_shown "$log_dir/image.log" --file docker/Dockerfile "${arguments[@]}" .
  fi
  say "$tag: $(image_megabytes "$tag") MB, built in $(seconds_since "$started") s"
}

image_megabytes() { docker image inspect --format '{{.Size}}' "$1" | awk '{printf "%.1f", $1 / 1000000}'; }

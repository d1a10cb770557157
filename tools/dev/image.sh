# shellcheck shell=bash
# ./dev image: the container images, compiled inside or from executables that a build folder holds, and their tests. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}"

image_name=whitewater:1 # the name in the manifests of the Kubernetes guide
minimal_mb_max=40
default_mb_max=45

image_usage="image: builds $image_name (with a busybox to look around with) and $image_name-minimal (without a shell)
  --from-build DIR    takes the executables of a build folder (build/release) instead of compiling in the image
  --base IMAGE        another Debian 12 or 13 to compile in (debian:bookworm-slim)
  --tag NAME          another name ($image_name); the minimal image is NAME-minimal
  --target TARGET     only one of them: default or minimal
  --check             builds nothing and tries the two images in containers (test/image)"

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

# Where the sources are, for the label: the clone's origin if that is a web address or one of ssh's short ones.
source_url() {
  git config --get remote.origin.url 2>/dev/null |
    sed -nE 's#^git@([^:/]+):(.+)$#https://\1/\2#; s#\.git$##; \#^https://#p' | grep . || echo unknown
}

image_arguments() {
  echo "--build-arg=VERSION=$(sed -n 's/^project(whitewater VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)"
  echo "--build-arg=REVISION=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
  echo "--build-arg=SOURCE=$(source_url)"
}

# make_context BUILD FOLDER: what the build in the image would have made, and no sources.
make_context() {
  docker/collect_root "$1/bin" "$2/collected"
  cp -r dev tools docker "$2"
}

tag_of() { # TAG TARGET
  if [ "$2" = minimal ]; then echo "$1-minimal"; else echo "$1"; fi
}

# The bar holds by failing: an image grows one library at a time.
check_image_size() { # TAG TARGET
  local tag max mb
  tag=$(tag_of "$1" "$2")
  if [ "$2" = minimal ]; then max=$minimal_mb_max; else max=$default_mb_max; fi
  docker image inspect "$tag" >/dev/null 2>&1 || die "there is no image $tag: ./dev image builds it"
  mb=$(docker image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.1f", $1 / 1000000}')
  say "$tag: $mb MB of at most $max"
  awk -v mb="$mb" -v max="$max" 'BEGIN {exit mb > max}' ||
    die "$tag is larger than $max MB. \`docker history $tag\` shows its layers, docker/collect_root what goes into them"
}

build_image() { # TAG TARGET BUILD BASE
  local tag target=$2 build=$3 context=. started
  local -a arguments
  tag=$(tag_of "$1" "$target")
  started=$(now_ms)
  mapfile -t arguments < <(image_arguments)
  [ -z "$4" ] || arguments+=(--build-arg "BASE_IMAGE=$4")
  if [ -n "$build" ]; then
    step "Image $tag from the executables of $build"
    context=$image_context
    arguments+=(--build-arg PREBUILT=yes)
  else
    step "Image $tag, compiled inside (ten to fifteen minutes on two cores; ./dev image --from-build build/release takes seconds)"
  fi
  docker_build_shown "$log_dir/image.log" --file docker/Dockerfile --tag "$tag" --target "$target" "${arguments[@]}" "$context"
  say "built in $(seconds_since "$started") s"
  check_image_size "$1" "$target"
}

image_command() {
  local build="" base="" tag=$image_name check=0 target
  local -a targets=(minimal default)
  while [ $# -gt 0 ]; do
    case "$1" in
      --check) check=1 ;;
      --from-build | --base | --tag | --target)
        [ $# -ge 2 ] || die "$image_usage"
        case "$1" in
          --from-build) build=$2 ;;
          --base) base=$2 ;;
          --tag) tag=$2 ;;
          --target) targets=("$2") ;;
        esac
        shift
        ;;
      *) die "unknown argument \"$1\"
$image_usage" ;;
    esac
    shift
  done
  case "${targets[*]}" in minimal | default | "minimal default") ;; *) die "no target \"${targets[*]}\"
$image_usage" ;; esac
  require_docker
  if [ "$check" = 1 ]; then
    [ ${#targets[@]} = 2 ] || die "image: --check tries both images; leave --target out"
    for target in "${targets[@]}"; do check_image_size "$tag" "$target"; done
    python3 test/image/run.py --tag "$tag"
    return
  fi
  if [ -n "$build" ]; then
    image_context=$(mktemp -d)
    trap 'rm -rf "$image_context"' EXIT
    make_context "$build" "$image_context"
  fi
  for target in "${targets[@]}"; do build_image "$tag" "$target" "$build" "$base"; done
}

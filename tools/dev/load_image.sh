# shellcheck shell=bash
# The image of the load generator, made of a build folder's executables and the member's image. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}" "${image_name:?this file is sourced after image.sh}"

load_image_name=whitewater-load:1

# build_load_image [BUILD]: onto the member's image, which must be of the same Debian release as BUILD (build/release).
build_load_image() {
  local build=${1:-build/release} context tool
  require_docker
  docker image inspect "$image_name" >/dev/null 2>&1 || die "the image $image_name is missing: ./dev image"
  context=$(mktemp -d)
  chmod 755 "$context"
  for tool in whitewater-load latency_profile; do
    [ -x "$build/bench/$tool" ] || die "$build/bench/$tool is missing: ./dev build release $tool"
    strip --strip-all -o "$context/$tool" "$build/bench/$tool"
    chmod 755 "$context/$tool"
  done
  docker_build_shown "$log_dir/load-image.log" --file bench/kind/load.Dockerfile --build-arg "BASE_IMAGE=$image_name" \
    --tag "$load_image_name" "$context"
  rm -rf "$context"
  docker run --rm --network none "$load_image_name" --help >/dev/null ||
    die "whitewater-load does not run on $image_name: a library is missing there, or $build is of another Debian release"
}

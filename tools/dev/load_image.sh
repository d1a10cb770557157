# shellcheck shell=bash
# The image of the load generator, made of a build folder's executable and the member's image. Sourced by ./dev.

: "${log_dir:?this file is sourced by ./dev}" "${image_name:?this file is sourced after image.sh}"

load_image_name=whitewater-load:1

# build_load_image [BUILD]: onto the member's image, which must be of the same Debian release as BUILD (build/release).
build_load_image() {
  local build=${1:-build/release} context
  require_docker
  [ -x "$build/bench/whitewater-load" ] || die "$build/bench/whitewater-load is missing: ./dev build release whitewater-load"
  docker image inspect "$image_name" >/dev/null 2>&1 || die "the image $image_name is missing: ./dev image"
  context=$(mktemp -d)
  strip --strip-all -o "$context/whitewater-load" "$build/bench/whitewater-load"
  chmod 755 "$context" "$context/whitewater-load"
  docker_build_shown "$log_dir/load-image.log" --file bench/kind/load.Dockerfile --build-arg "BASE_IMAGE=$image_name" \
    --tag "$load_image_name" "$context"
  rm -rf "$context"
  docker run --rm --network none "$load_image_name" --help >/dev/null ||
    die "whitewater-load does not run on $image_name: a library is missing there, or $build is of another Debian release"
}

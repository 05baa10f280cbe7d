# shellcheck shell=bash
# Summary: the bench's images: two releases of the lab's application, two of one that costs nothing.
# Usage: sourced by scripts/bench/swap after lib/common.sh

# Usage: bench_image NAME VERSION DIR
bench_image() {
  build_image --label "$LABEL" --label tg.bench=1 --build-arg "VERSION=$2" -t "tg-bench/$1:$2" "$3" ||
    fail "tg-bench/$1:$2 could not be built"
}

build_images() {
  local version
  ensure_images
  say "building the applications"
  for version in "$OLD" "$NEW"; do
    bench_image app "$version" "$LAB_SRC/app"
    bench_image still "$version" "$BENCH_SRC/still"
  done
}

build_tools() {
  command -v cargo >/dev/null || fail "no cargo" "install Rust, see https://rustup.rs" 10
  say "building tg-swap and the load program as they are installed"
  cargo build --quiet --release --manifest-path "$REPO_ROOT/Cargo.toml" -p tg-swap -p tg-lab-load || fail "the tools do not build"
}

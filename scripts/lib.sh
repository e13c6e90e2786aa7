# shellcheck shell=bash
# Code shared by the scripts: folders, versions, reports of steps, and the choice of the Rust toolchain for wasm.
# Scripts source this file; it is never run. Every script starts with `set -euo pipefail` and
# `source "$(dirname "$0")/lib.sh"`.

export LC_NUMERIC=C # so that $EPOCHREALTIME and awk use the same decimal point

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$ROOT"

# Compiled tools and downloaded fixtures are kept outside the checkout, so that a new clone on the same machine is fast.
TOOLS="${CUTTY_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/cutty}"

WASM_TARGET=wasm32-unknown-unknown
WASM_TARGET_DIR="$ROOT/target/wasm" # separate: two compilers in one folder would rebuild each other's output

# locked_version CRATE LOCK: the version of a crate in a Cargo.lock.
locked_version() {
  local version
  version="$(awk -v want="\"$1\"" '$1 == "name" { here = ($3 == want) } here && $1 == "version" { gsub(/"/, "", $3); print $3; exit }' "$2")"
  [[ -n "$version" ]] || die "$2 has no crate named $1"
  echo "$version"
}

say() { printf '%s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

elapsed() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", to - from }'; }

# step NAME DONE DO: calls the function DONE. If DONE fails, calls DO and then DONE again. Prints "ok" or "done".
step() {
  local name="$1" done_check="$2" work="$3" from="$EPOCHREALTIME"
  if "$done_check"; then
    say "  ok    $name ($(elapsed "$from"))"
    return
  fi
  say "  ....  $name"
  # The work runs in a subshell, because `work || die` would switch `set -e` off inside the work.
  local status=0
  set +e
  (set -e; "$work")
  status=$?
  set -e
  ((status == 0)) || die "$name failed"
  "$done_check" || die "$name ran, but its result is missing"
  say "  done  $name ($(elapsed "$from"))"
}

# quietly LOG COMMAND…: writes the output of a long command to the file LOG. If the command fails, prints the end of the
# output.
quietly() {
  local log="$1"
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "the complete output is in $log"
    return 1
  fi
}

as_root() {
  if [[ "$(id -u)" == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this command needs root, and sudo is missing. Run it as root: $*"
  fi
}

apt_has() { dpkg-query -W -f='${Status}\n' "$@" 2>/dev/null | awk '!/install ok installed/ { bad = 1 } END { exit bad || NR < '"$#"' }'; }

apt_install() {
  command -v apt-get >/dev/null || die "apt-get is missing. Install these packages: $*"
  quietly "$ROOT/target/setup/apt.log" as_root apt-get update -q
  quietly "$ROOT/target/setup/apt.log" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "$@"
}

# --- Rust for WebAssembly -------------------------------------------------------------------------------------------
#   "default": the rustc on PATH has a standard library for wasm (usually rustup's target).
#   "debian":  Debian's rustc-web in /usr/bin, with a standard library that scripts/setup has built.
#   CUTTY_WASM_RUST=default|debian overrides the choice.

DEBIAN_PACKAGES=(rustc-web cargo-web rust-web-src lld-19)
DEBIAN_LIBDIR="/usr/lib/rustlib/$WASM_TARGET/lib"
DEBIAN_STAMP="$DEBIAN_LIBDIR/built-for"

has_std() { compgen -G "$1/libstd-*.rlib" >/dev/null; }

default_rust_has_wasm() {
  command -v rustc >/dev/null && has_std "$(rustc --target "$WASM_TARGET" --print target-libdir 2>/dev/null)"
}

# A standard library works only with the compiler that built it, so the stamp holds that compiler's version text.
debian_rust_has_wasm() {
  [[ -x /usr/bin/rustc && -x /usr/bin/wasm-ld-19 && -f "$DEBIAN_STAMP" ]] &&
    has_std "$DEBIAN_LIBDIR" && [[ "$(/usr/bin/rustc -vV)" == "$(cat "$DEBIAN_STAMP")" ]]
}

wasm_rust() {
  case "${CUTTY_WASM_RUST:-}" in
    default | debian) echo "$CUTTY_WASM_RUST" ;;
    "") if default_rust_has_wasm; then echo default; elif debian_rust_has_wasm; then echo debian; else echo none; fi ;;
    *) die "CUTTY_WASM_RUST is '$CUTTY_WASM_RUST'; it can be default or debian" ;;
  esac
}

wasm_rust_ready() {
  case "$(wasm_rust)" in
    default) default_rust_has_wasm ;;
    debian) debian_rust_has_wasm ;;
    *) return 1 ;;
  esac
}

# Sets the environment in which cargo builds the wasm. For Debian's Rust, /usr/bin must come first on PATH. Unsets
# variables that would change the build: RUSTFLAGS would replace the flags of .cargo/config.toml. RUSTC and similar
# variables can name another toolchain, because `cargo test` sets them for tests that call a build script.
use_wasm_rust() {
  unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS
  unset RUSTC RUSTDOC RUSTC_WRAPPER CARGO LD_LIBRARY_PATH
  export CARGO_TARGET_DIR="$WASM_TARGET_DIR"
  if [[ "$(wasm_rust)" == debian ]]; then
    unset RUSTUP_TOOLCHAIN
    export PATH="/usr/bin:$PATH"
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=/usr/bin/wasm-ld-19
  fi
}

# --- Tools ----------------------------------------------------------------------------------------------------------

# The compiled scripts/bindgen. The name of its folder contains a hash of the sources in scripts/bindgen, so that each
# version has its own folder.
BINDGEN="$TOOLS/bindgen-$(cat scripts/bindgen/{Cargo.toml,Cargo.lock,src/main.rs} | sha256sum | cut -c 1-16)/bin/bindgen"
# Checks the licences and sources of dependencies (deny.toml).
CARGO_DENY_VERSION=0.20.2
CARGO_DENY="$TOOLS/cargo-deny-$CARGO_DENY_VERSION/bin/cargo-deny"
NODE_STAMP="$ROOT/node_modules/.installed-lock"

npm_is_current() { [[ -x node_modules/.bin/wrangler ]] && cmp -s package-lock.json "$NODE_STAMP"; }
# bindgen reads data that the macros of the crate `wasm-bindgen` wrote into the module. The format of this data changes
# with each version, so bindgen and the macros must have the same version.
bindgen_fits() {
  [[ "$(locked_version wasm-bindgen Cargo.lock)" == "$(locked_version wasm-bindgen-cli-support scripts/bindgen/Cargo.lock)" ]]
}
bindgen_is_built() { [[ -x "$BINDGEN" ]] && bindgen_fits; }

# Prints the arguments of `wrangler dev` that set each rate limit at least a hundred times higher than by default, one a
# line, so that no program on this machine meets a limit. A variable of the environment, or of .dev.vars, overrules.
high_limits() {
  local name value
  while read -r name value; do
    if [[ -n "${!name+set}" ]]; then
      value="${!name}"
    elif grep -qs "^$name=" "$ROOT/.dev.vars"; then
      continue
    fi
    printf '%s\n' --var "$name:$value"
  done <<'LIMITS'
CUTS_PER_MINUTE 120000
SCAN_BYTES_PER_HOUR 100000000000000
UPLOADS_PER_MINUTE 600000
SIGN_UPS_PER_HOUR 20000
SIGN_IN_FREE_FAILURES 3000
SHARES_PER_MINUTE 60000
PLATFORM_LIMITS false
LIMITS
}

# wrangler needs a newer Node than many machines have. The npm package `node` contains a Node that is new enough.
use_node_tools() { export PATH="$ROOT/node_modules/.bin:$PATH"; }

# Local servers make no outgoing connections: no usage reports, and no look-up of the request's `cf` properties.
export WRANGLER_SEND_METRICS=false
export CLOUDFLARE_CF_FETCH_ENABLED=false

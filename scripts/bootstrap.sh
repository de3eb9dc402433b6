#!/bin/bash
# Installs the Debian packages that building and testing need. Returns at once (about 50 ms) when all are there.
#
#   scripts/bootstrap.sh              everything but compilers of other languages
#   scripts/bootstrap.sh --minimal    what it takes to build and to download; no ccache, no emulator, no valgrind, no clang-tidy
#   scripts/bootstrap.sh --languages  also Go and Rust, for their examples: 136 MB to download, 740 MB installed
#
# Written for Debian 12; works on any Debian or Ubuntu release that has LLVM 19. Becomes root through sudo where it is not
# root already. The optional groups never make it fail: without them it prints what will be missing.
set -euo pipefail

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }
minimal=0
languages=0
for arg in "$@"; do
  case $arg in
    --minimal) minimal=1 ;;
    --languages) languages=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "bootstrap: unknown option '$arg'" >&2; usage >&2; exit 2 ;;
  esac
done

# zlib and zstd: LLVM's CMake package refers to them, but llvm-19-dev does not depend on them.
required=(
  g++ cmake ninja-build
  llvm-19-dev llvm-19 llvm-19-tools zlib1g-dev libzstd-dev
  libfmt-dev libexpected-dev libcli11-dev nlohmann-json3-dev libxxhash-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
speed=(ccache)
emulator=(bochs bochs-term bochsbios vgabios cpio binutils gcc libc6-dev)
counters=(valgrind)
static=(clang-tidy-19)
# For the tests of what is installed, and the Python example.
packaging=(pkg-config python3-numpy groff-base)
toolchains=(golang-go rustc)
network=(curl ca-certificates)

say() { echo "bootstrap: $*" >&2; }

# Prints those of the named packages that are not installed. For a package that is nothing but one command, having the
# command from elsewhere counts.
missing_of() {
  local installed package
  installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    [[ $installed == *" $package:installed "* ]] && continue
    case $package in
      curl | ccache | cmake | pkg-config | rustc) command -v "$package" >/dev/null && continue ;;
      golang-go) command -v go >/dev/null && continue ;;
      groff-base) command -v groff >/dev/null && continue ;;
    esac
    echo "$package"
  done
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this is not a Debian-like system. Install the equivalents of: ${required[*]}"
  for tool in g++ cmake ninja llvm-config-19; do
    command -v "$tool" >/dev/null || { say "'$tool' is not on PATH"; exit 1; }
  done
  say "the compilers are there; going on"
  exit 0
fi

as_root=()
can_install=1
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=(sudo)
  else
    can_install=0
  fi
fi

updated=0
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

update() {
  [ $updated = 0 ] || return 0
  updated=1
  say "refreshing the package lists"
  # A third party's source that does not answer must not stop us: the install says whether ours did.
  apt update || say "some package lists could not be refreshed"
}

# install PACKAGE...: with the lists that are there if they know every package, else (or after a failure: a version that
# the mirror has since replaced) with fresh ones.
install() {
  local package
  for package in "$@"; do
    apt-cache show "$package" >/dev/null 2>&1 || { update; break; }
  done
  apt install -y --no-install-recommends "$@" && return 0
  [ $updated = 0 ] || return 1
  update
  apt install -y --no-install-recommends "$@"
}

# ensure WHAT PACKAGE...: true when the packages are installed in the end.
ensure() {
  local what=$1 missing
  shift
  mapfile -t missing < <(missing_of "$@")
  [ ${#missing[@]} = 0 ] && return 0
  if [ $can_install = 0 ]; then
    say "$what: not installed: ${missing[*]}"
    return 1
  fi
  say "$what: installing ${missing[*]}"
  install "${missing[@]}"
}

if ! ensure "build and unit tests" "${required[@]}"; then
  say "cannot go on without these. As root: apt-get update && apt-get install ${required[*]}"
  exit 1
fi
ensure "downloads" "${network[@]}" || say "warning: without curl (or npm) there is no real tokenizer"
[ $minimal = 1 ] && exit 0
ensure "faster rebuilds" "${speed[@]}" || say "warning: building without ccache"
ensure "AVX-512 emulator" "${emulator[@]}" || say "warning: the emulator tests will be skipped"
ensure "instruction counts" "${counters[@]}" || say "warning: counters.instructions will be skipped"
ensure "static checks" "${static[@]}" || say "warning: static.clang_tidy will be skipped"
ensure "packaging and examples" "${packaging[@]}" || say "warning: some tests of packaging and examples will be skipped"
if [ $languages = 1 ]; then
  ensure "Go and Rust" "${toolchains[@]}" || say "warning: the Go and Rust examples will be skipped"
fi

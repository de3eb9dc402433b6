#!/bin/bash
# examples/run.sh [--prefix PREFIX] [--model MODEL.gguf] [--work FOLDER] [LANGUAGE...]
#
# Compiles MODEL ahead of time and runs the examples with it: c, cpp, python, go and rust, or the named ones. Prints each
# command before it runs. PREFIX is the installation prefix of ggufc; without it build/release is installed to FOLDER (default
# build/examples). Without MODEL the examples use a tiny model with random weights, whose cosines mean nothing.
# Exit status: 77 if the toolchain of a named language is not installed. CC and CXX name the C and C++ compilers.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
prefix= model= work=$root/build/examples
languages=()
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=$(realpath "$2"); shift ;;
    --model) model=$(realpath "$2"); shift ;;
    --work) work=$2; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    c | cpp | python | go | rust) languages+=("$1") ;;
    *) echo "run.sh: unknown argument '$1'" >&2; exit 2 ;;
  esac
  shift
done
named=${#languages[@]}
[ "$named" != 0 ] || languages=(c cpp python go rust)
export CC=${CC:-cc} CXX=${CXX:-c++}
mkdir -p "$work"
work=$(realpath "$work")

shown() { printf '$ %s\n' "$*"; "$@"; }
quietly() { printf '$ %s\n' "$*"; "$@" >/dev/null; }
# has_toolchain LANGUAGE COMMAND...: succeeds if COMMAND does. Else prints what is missing, and exits if LANGUAGE was named.
has_toolchain() {
  local language=$1
  shift
  "$@" >/dev/null 2>&1 && return 0
  echo "run.sh: $language: skipped, because '$*' fails" >&2
  [ "$named" = 0 ] || exit 77
  return 1
}

if [ -z "$prefix" ]; then
  prefix=$work/prefix
  cmake --install "$root/build/release" --prefix "$prefix" >/dev/null
fi
export PATH=$prefix/bin:$PATH PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
if [ -z "$model" ]; then
  model=$work/tiny.gguf
  [ -s "$model" ] ||
    shown ggufc synth -o "$model" --layers 4 --dim 128 --head-dim 64 --ffn 256 --vocab 2000 --dense 256 --outlier-gain 1
fi

# Each example is built in its own folder, which also holds its model.
enter() {
  mkdir -p "$work/$1"
  cd "$work/$1"
  cp "$root/examples/$1"/* .
  echo "== $1"
}

run_c() {
  has_toolchain c pkg-config --version || return 0
  enter c
  shown ggufc compile "$model" -o model
  # shellcheck disable=SC2046  # the flags must be split into words
  shown "$CC" main.c model.o $(pkg-config --cflags --libs ggufc-runtime) -o sentences
  shown ./sentences
}
run_cpp() {
  enter cpp
  quietly cmake -S . -B build -DMODEL="$model" -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build build
  shown build/sentences
}
run_python() {
  local python=python3
  "$python" -c 'import numpy' 2>/dev/null || python=/usr/bin/python3  # Debian's, which has Debian's NumPy
  has_toolchain python "$python" -c 'import numpy' || return 0
  enter python
  shown ggufc compile "$model" --emit shared -o model.so
  shown "$python" sentences.py ./model.so
}
run_go() {
  has_toolchain go pkg-config --version || return 0
  has_toolchain go go version || return 0
  enter go
  shown ggufc compile "$model" -o model
  # The build does not depend on the user's settings and downloads nothing.
  export GOCACHE=$work/go-cache GOFLAGS= GO111MODULE=auto GOPROXY=off GOTOOLCHAIN=local CGO_ENABLED=1
  shown go build -o sentences main.go
  shown ./sentences
}
run_rust() {
  has_toolchain rust rustc --version || return 0
  enter rust
  shown ggufc compile "$model" -o model
  shown rustc -O main.rs -o sentences -C link-arg=model.o -L "$prefix/lib" -l static=ggufc_runtime
  shown ./sentences
}

for language in "${languages[@]}"; do ("run_$language"); done

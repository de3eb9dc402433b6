#!/bin/bash
# scripts/build.sh [PRESET [CMAKE BUILD OPTIONS...]]     PRESET: release (default), debug, asan or tsan, see CMakePresets.json
#
# Installs what is missing (scripts/bootstrap.sh --minimal), configures and builds into build/PRESET, with ccache where
# there is one. Other options go to cmake --build: --target ggufc builds the compiler without the tests.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
preset=${1:-release}
[ $# = 0 ] || shift
cd "$(dirname "$0")/.."

scripts/bootstrap.sh --minimal
options=()
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  # Without a home folder ccache has no place of its own.
  [ -w "${HOME:-/nonexistent}" ] || export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/cache/ccache}
fi
cmake --preset "$preset" "${options[@]}"
cmake --build "build/$preset" --parallel "$(nproc)" "$@"

#!/bin/bash
# scripts/build.sh [PRESET [CMAKE BUILD OPTIONS...]]     PRESET: release (default), debug, asan or tsan, see CMakePresets.json
#
# Installs what is missing (scripts/bootstrap.sh --minimal), configures and builds into build/PRESET, with ccache where
# there is one (CMakeLists.txt). Options that begin with -D go to the configuring cmake, others to cmake --build: --target ggufc
# builds the compiler without the tests.
set -euo pipefail
case ${1:-} in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
preset=${1:-release}
[ $# = 0 ] || shift
cd "$(dirname "$0")/.."

scripts/bootstrap.sh --minimal
configure=() build=()
for option in "$@"; do
  case $option in
    -D*) configure+=("$option") ;;
    *) build+=("$option") ;;
  esac
done
# Without a home folder ccache has no place of its own.
[ -w "${HOME:-/nonexistent}" ] || export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/cache/ccache}
cmake --preset "$preset" "${configure[@]}"
cmake --build "build/$preset" --parallel "$(nproc)" "${build[@]}"

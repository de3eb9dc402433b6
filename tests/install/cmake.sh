#!/bin/bash
# cmake.sh PREFIX WORK_FOLDER: find_package and ggufc_add_model in the project consumer/, with each installed generator. Builds,
# installs, rebuilds after a change of the model, and checks that nothing is rebuilt without a change. Also checks pkg-config.
set -euo pipefail
prefix=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../data
rm -rf "$work"
mkdir -p "$work"
cd "$work"
export XDG_CACHE_HOME=$work/cache
fail() { echo "$*"; exit 1; }
embed() { "$prefix/bin/ggufc" embed "$1" --format text "The cat sleeps." "${@:2}"; }

for generator in Ninja 'Unix Makefiles'; do
  command -v "$([ "$generator" = Ninja ] && echo ninja || echo make)" >/dev/null || { echo "not installed: $generator"; continue; }
  rm -rf build installed
  cp "$data/tiny-q8_0.gguf" model.gguf
  cmake -G "$generator" -S "$here/consumer" -B build -DMODEL="$work/model.gguf" -DSOURCE="$here/embed.c" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >log
  cmake --build build >>log
  diff <(embed model.gguf --target generic --dims 8) <(build/sidecar/with_sidecar "The cat sleeps.")
  diff <(embed model.gguf --activations i8) <(build/program/with_embedded "The cat sleeps.")
  [ ! -e build/embedded/model.weights ] || fail "a model with embedded weights has a sidecar too"

  cmake --install build --prefix installed >>log
  diff <(embed model.gguf --dims 8) <(installed/bin/with_sidecar "The cat sleeps.")

  stamp() { stat -c %Y.%y build/sidecar/* build/embedded/* build/program/with_embedded; }
  before=$(stamp)
  cmake --build build >>log
  [ "$(stamp)" = "$before" ] || fail "$generator: rebuilt without a change"
  cp "$data/tiny-f32.gguf" model.gguf
  cmake --build build >>log
  diff <(embed model.gguf --dims 8) <(build/sidecar/with_sidecar "The cat sleeps.")
  diff <(embed model.gguf) <(build/program/with_embedded "The cat sleeps.")
done

# Wrong arguments are errors at configure time.
wrong() {
  local message=$1
  shift
  mkdir -p wrong
  printf 'cmake_minimum_required(VERSION 3.20)\nproject(w LANGUAGES C)\nfind_package(ggufc REQUIRED)\nggufc_add_model(%s)\n' "$*" \
    >wrong/CMakeLists.txt
  ! cmake -S wrong -B wrong/build -DCMAKE_PREFIX_PATH="$prefix" >log 2>&1 || fail "no error: ggufc_add_model($*)"
  tr '\n' ' ' <log | tr -s ' ' | grep -qF "$message" || { cat log; fail "expected: $message"; }
}
wrong "NAME 'a-b' is no C identifier" a-b m.gguf
wrong "WEIGHTS 'none' is neither sidecar nor embed" m m.gguf WEIGHTS none
wrong "what are '--dims'?" m m.gguf --dims

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  "$prefix/bin/ggufc" compile "$data/tiny-q8_0.gguf" -o model
  # shellcheck disable=SC2046  # the flags must be split into words
  "$CC" "$here/embed.c" -I. model.o $(pkg-config --cflags --libs ggufc-runtime) -o program
  diff <(embed "$data/tiny-q8_0.gguf") <(./program "The cat sleeps.")
  version=$("$prefix/bin/ggufc" --version | awk '{ print $2 }')
  [ "$(pkg-config --modversion ggufc-runtime)" = "$version" ] || fail "pkg-config has another version than $version"
else
  echo "not installed: pkg-config"
fi

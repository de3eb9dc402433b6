#!/bin/bash
# library.sh PREFIX WORK_FOLDER: checks the compiler library libggufc.so: its symbols, and a C program linked with it by hand,
# by pkg-config and by find_package. Each program must print the vectors of `ggufc embed`, digit for digit, with an empty
# cache and with a filled one.
set -euo pipefail
prefix=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work"
mkdir -p "$work"
cd "$work"
export XDG_CACHE_HOME=$work/cache
fail() { echo "$*"; exit 1; }

# Exported symbols: exactly the functions that the two headers declare.
library=$prefix/lib/libggufc.so
nm -D --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort >defined
for header in ggufc.h ggufc_compiler.h; do
  "$CC" -E -P "$prefix/include/ggufc/$header" | tr '\n' ' '
done | grep -oE 'ggufc_[a-z_]+ *\([^)]' | grep -oE 'ggufc_[a-z_]+' | sort -u >declared
diff declared defined || fail "declared (<) and defined (>) differ"
grep -qx ggufc_compile defined || fail "ggufc_compile is not exported"

model=$here/../data/tiny-q8_0.gguf
texts=('The cat sleeps.' 'A cat is asleep, naïvely 🐈.' 'x')
"$prefix/bin/ggufc" embed "$model" --no-cache --format text "${texts[@]}" >expected
check() {
  rm -rf cache
  for _ in miss hit; do
    "$@" "$model" "${texts[@]}" >output
    diff expected output || fail "the vectors differ: $*"
  done
  [ "$(find cache -name '*.entry' | wc -l)" = 1 ] || fail "expected one cache entry: $*"
  [ -z "$(find cache -name '*.tmp')" ] || fail "temporary files are left: $*"
}

"$CC" -std=c99 -pedantic -Wall -Wextra -Werror -I"$prefix/include" "$here/library.c" -L"$prefix/lib" -lggufc -o program
check env LD_LIBRARY_PATH="$prefix/lib" ./program
readelf -d program | grep -q 'NEEDED.*libggufc\.so' || fail "the program is not linked with libggufc.so"
! HOME=/nonexistent LD_LIBRARY_PATH=$prefix/lib ./program /no/such/file 2>message || fail "a missing model is no error"
grep -q 'cannot open' message || fail "unexpected message: $(cat message)"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  # shellcheck disable=SC2046  # the flags must be split into words
  "$CC" "$here/library.c" $(pkg-config --cflags --libs ggufc) -Wl,-rpath,"$prefix/lib" -o program
  check ./program
else
  echo "not installed: pkg-config"
fi

mkdir project
cat >project/CMakeLists.txt <<'PROJECT'
cmake_minimum_required(VERSION 3.20)
project(library LANGUAGES C)
find_package(ggufc 0.1 REQUIRED)
add_executable(program ${SOURCE})
target_link_libraries(program PRIVATE ggufc::ggufc)
PROJECT
cmake -S project -B build -DSOURCE="$here/library.c" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >log
cmake --build build >>log
check build/program

#!/bin/bash
# library.sh PREFIX WORK_FOLDER: the compiler as a library. What can be seen of libggufc.so, and a C program that is linked
# with it in the ways that are offered: by hand, by pkg-config, by find_package, loaded while it runs. Each prints the vectors
# of `ggufc embed`, digit for digit, with and without a cache.
set -euo pipefail
prefix=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work"
mkdir -p "$work"
cd "$work"
export XDG_CACHE_HOME=$work/cache
fail() { echo "$*"; exit 1; }

# Defined for others: what the two headers declare, no more and no less.
library=$prefix/lib/libggufc.so
nm -D --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort >defined
for header in ggufc.h ggufc_compiler.h; do
  "$CC" -E -P "$prefix/include/ggufc/$header" | tr '\n' ' '
done | grep -oE 'ggufc_[a-z_]+ *\([^)]' | grep -oE 'ggufc_[a-z_]+' | sort -u >declared
diff declared defined || fail "declared (<) and defined (>) differ"
grep -qx ggufc_compile defined || fail "ggufc_compile is not there"

model=$here/../data/tiny-q8_0.gguf
texts=('The cat sleeps.' 'A cat is asleep, naïvely 🐈.' 'x')
"$prefix/bin/ggufc" embed "$model" --no-cache --format text "${texts[@]}" >expected
check() {
  rm -rf cache
  for _ in miss hit; do
    "$@" "$model" "${texts[@]}" >output
    diff expected output || fail "other vectors: $*"
  done
  [ "$(find cache -name '*.entry' | wc -l)" = 1 ] || fail "no entry, or several: $*"
  [ -z "$(find cache -name '*.tmp')" ] || fail "temporary files: $*"
}

"$CC" -std=c99 -pedantic -Wall -Wextra -Werror -I"$prefix/include" "$here/library.c" -L"$prefix/lib" -lggufc -o program
check env LD_LIBRARY_PATH="$prefix/lib" ./program
readelf -d program | grep -q 'NEEDED.*libggufc\.so' || fail "libggufc is not what was linked"
! HOME=/nonexistent LD_LIBRARY_PATH=$prefix/lib ./program /no/such/file 2>message || fail "no error"
grep -q 'cannot open' message || fail "another message: $(cat message)"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  # shellcheck disable=SC2046  # flags are words
  "$CC" "$here/library.c" $(pkg-config --cflags --libs ggufc) -Wl,-rpath,"$prefix/lib" -o program
  check ./program
else
  echo "not here: pkg-config"
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

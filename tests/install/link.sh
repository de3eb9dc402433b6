#!/bin/bash
# link.sh PREFIX WORK_FOLDER: a C program, a C++ program and a shared library over an ahead-of-time model, by every compiler
# that is here and in every way of linking that it knows. Each program must print the vectors of `ggufc embed`, digit for
# digit.
set -euo pipefail
prefix=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work"
mkdir -p "$work"
cd "$work"
export XDG_CACHE_HOME=$work/cache

model=$here/../data/tiny-q8_0.gguf
texts=('The cat sleeps.' 'A cat is asleep, naïvely 🐈.' 'x')
"$prefix/bin/ggufc" compile "$model" -o model
"$prefix/bin/ggufc" embed "$model" --format text "${texts[@]}" >expected
[ "$(wc -l <expected)" = 3 ]

library=$prefix/lib/libggufc_runtime.a
count=0
failed=0
# build_and_run COMPILER [OPTION...]: the options follow the source, so that libraries among them are found.
build_and_run() {
  local compiler=$1
  shift
  if ! $compiler -I"$prefix/include" -I. "$@" -o program 2>log || ! ./program "${texts[@]}" >output 2>>log ||
    ! diff expected output >>log; then
    echo "FAILED: $compiler $*"
    head -n 20 log
    failed=1
  fi
  count=$((count + 1))
}
# The runtime of a sanitizer or a static C library may be missing: then the compiler cannot link an empty program either.
can() { echo 'int main(void) { return 0; }' | "$@" -x c - -o empty 2>/dev/null && ./empty; }

compilers=("$CC")
for other in gcc clang clang-19; do
  [ "$(command -v "$other")" ] && [ "$(realpath "$(command -v "$other")")" != "$(realpath "$(command -v "$CC")")" ] &&
    compilers+=("$other")
done
for compiler in "${compilers[@]}"; do
  for options in '' '-static' '-static-pie -fPIE' '-no-pie' '-O2 -flto' '-Wl,--gc-sections,-z,now,-z,relro' \
    '-fuse-ld=gold' '-fuse-ld=lld' '-fsanitize=address' '-fsanitize=undefined' '-fsanitize=thread'; do
    # shellcheck disable=SC2086  # options are words
    if can $compiler $options; then
      build_and_run "$compiler" $options "$here/embed.c" model.o "$library" -lm -lpthread
    else
      echo "not here: $compiler $options"
    fi
  done
  # The model and the runtime in a shared library, used by a program that knows only the library.
  $compiler -shared -Wl,-z,text,-z,defs -Wl,-soname,libmodel.so model.o -Wl,--whole-archive "$library" -Wl,--no-whole-archive \
    -lm -lpthread -o libmodel.so
  build_and_run "$compiler" "$here/embed.c" -L. -lmodel "-Wl,-rpath,$work"
done

for compiler in "$CXX" g++ clang++-19; do
  command -v "$compiler" >/dev/null || continue
  for options in '' '-static' '-static-libstdc++' '-static-libgcc'; do
    # shellcheck disable=SC2086
    if ! $compiler -std=c++20 $options -I"$prefix/include" -I. "$here/two_libraries.cpp" model.o "$library" -lm -lpthread \
      -o program 2>log || ! ./program >output 2>>log || [ "$(cat output)" != good ]; then
      echo "FAILED: $compiler $options two_libraries.cpp"
      head -n 20 log
      failed=1
    fi
    count=$((count + 1))
  done
done
echo "$count programs linked and run"
[ $count -ge 12 ] || { echo "too few"; failed=1; }
exit $failed

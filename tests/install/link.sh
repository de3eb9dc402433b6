#!/bin/bash
# link.sh PREFIX WORK_FOLDER: links a C program, a C++ program and a shared library with an ahead-of-time model, by every
# installed compiler and with all common linker options. Each program must print the vectors of `ggufc embed`, digit for digit.
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
# build_and_run COMPILER [OPTION...]: the options include the source, which must come before the libraries.
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
# can_link COMPILER [OPTION...]: whether the compiler can link and run an empty program with these options. It cannot if the
# runtime of a sanitizer or a static C library is not installed.
can_link() { echo 'int main(void) { return 0; }' | "$@" -x c - -o empty 2>/dev/null && ./empty; }

compilers=("$CC")
for other in gcc clang clang-19; do
  [ "$(command -v "$other")" ] && [ "$(realpath "$(command -v "$other")")" != "$(realpath "$(command -v "$CC")")" ] &&
    compilers+=("$other")
done
for compiler in "${compilers[@]}"; do
  for options in '' '-static' '-static-pie -fPIE' '-no-pie' '-O2 -flto' '-Wl,--gc-sections,-z,now,-z,relro' \
    '-fuse-ld=gold' '-fuse-ld=lld' '-fsanitize=address' '-fsanitize=undefined' '-fsanitize=thread'; do
    # shellcheck disable=SC2086  # the options must be split into words
    if can_link $compiler $options; then
      build_and_run "$compiler" $options "$here/embed.c" model.o "$library" -lm -lpthread
    else
      echo "not installed: $compiler $options"
    fi
  done
  # The model and the runtime in a shared library, and a program linked with only that library.
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
[ $count -ge 12 ] || { echo "expected at least 12 programs"; failed=1; }
exit $failed

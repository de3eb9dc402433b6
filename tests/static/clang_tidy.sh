#!/bin/bash
# clang_tidy.sh CACHE [FILE...]    Runs clang-tidy with the checks of .clang-tidy, and clang's warnings, over the product's
#                                  sources (or the named ones). Exit status 77: skipped, clang-tidy 19 is not installed.
#
# clang_tidy.sh --self-test        Checks that it finds a mistake, and that a file with a mistake is not cached as passed.
#
# CACHE is a folder with one file per source that passed. Its key is a hash of the source, of all headers of ggufc that it
# includes, and of the checks. A run without changes takes a second.
set -euo pipefail

cache=${1:?"usage: clang_tidy.sh CACHE [FILE...] | --self-test"}
shift
self=$(realpath "$0")
tidy=
for name in clang-tidy-19 clang-tidy; do
  if command -v "$name" >/dev/null && [[ $("$name" --version) == *" version 19."* ]]; then
    tidy=$name
    break
  fi
done
if [ -z "$tidy" ]; then
  echo "SKIPPED: no clang-tidy 19 (apt-get install clang-tidy-19): nothing was checked"
  exit 77
fi
cd "$(dirname "$0")/../.."

if [ "$cache" = --self-test ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  printf '#include <utility>\n#include <vector>\nint Twice(std::vector<int> v);\nint Twice(std::vector<int> v) {\n  std::vector<int> w = std::move(v);\n  return static_cast<int>(v.size() + w.size());\n}\n' >"$folder/bad.cpp"
  for _ in 1 2; do
    if found=$("$self" "$folder/cache" "$folder/bad.cpp") || [[ $found != *bugprone-use-after-move* ]]; then
      printf 'self-test: a use after a move was not found:\n%s\n' "$found"
      exit 1
    fi
  done
  printf 'int One();\nint One() { return 1; }\n' >"$folder/good.cpp"
  "$self" "$folder/cache" "$folder/good.cpp"
  exit
fi

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
export tidy cache
llvm=$(llvm-config-19 --includedir 2>/dev/null || echo /usr/lib/llvm-19/include)
# The flags of CMakeLists.txt, with the root as the include folder of all targets. (-Wno-deprecated-declarations: libstdc++ 12
# uses a deprecated function.)
flags="-std=c++20 -I. -isystem $llvm -Wall -Wextra -Wconversion -Wno-sign-conversion -Wno-deprecated-declarations -ffp-contract=off -DGGUFC_VERSION=\"0\""
export flags

if [ $# = 0 ]; then
  mapfile -t files < <(find support ir frontend passes runtime codegen driver tools -name '*.cpp' | sort)
else
  files=("$@")
fi

# One line per include of a header of ggufc: the file and the header.
graph=$(grep -rHoE --include='*.h' --include='*.hpp' --include='*.cpp' --include='*.def' '^#include "[^"]+"' \
  support ir frontend passes runtime codegen driver tools | sed 's/:#include "/ /; s/"$//')
export graph

check() {
  local file=$1 closure key output
  # The file and every header that it includes, directly or indirectly.
  closure=$(awk -v start="$file" '
    { edges[$1] = edges[$1] " " $2 }
    END {
      queue[1] = start; seen[start] = 1; last = 1
      for (first = 1; first <= last; ++first) {
        count = split(edges[queue[first]], next_files, " ")
        for (i = 1; i <= count; ++i) if (!(next_files[i] in seen)) { seen[next_files[i]] = 1; queue[++last] = next_files[i] }
      }
      for (i = 1; i <= last; ++i) print queue[i]
    }' <<<"$graph" | sort)
  # A name that is not a path from the root (a header in the folder of its includer) is skipped.
  key=$({ "$tidy" --version; echo "$flags"; cat .clang-tidy; while read -r name; do [ ! -f "$name" ] || cat "$name"; done <<<"$closure"; } | sha256sum | cut -c1-40)
  [ -e "$cache/$key" ] && return 0
  # shellcheck disable=SC2086
  if output=$("$tidy" --quiet --config-file=.clang-tidy "$file" -- $flags 2>&1); then
    : >"$cache/$key"
  else
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (generated|treated as errors?)|^Suppressed '
    return 1
  fi
}
export -f check

if printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'check "$1"' check; then
  echo "clang_tidy: ${#files[@]} files passed"
else
  exit 1
fi

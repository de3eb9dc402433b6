#!/bin/bash
# clang_tidy.sh CACHE|--user-cache FOLDER [FILE...]
#                                  Runs clang-tidy with the checks of .clang-tidy, and clang's warnings, over the product's
#                                  sources (or the named ones). Exit status 77, skipped, where there is no clang-tidy 19.
#
# clang_tidy.sh --self-test        Checks that it finds a mistake, and that a file with a mistake is not cached as passed.
#
# CACHE is a folder that remembers what passed, by the contents of a source, of all headers of ours that it includes, and of
# the checks: a second run takes seconds, also in another checkout. With --user-cache FOLDER it is
# ${XDG_CACHE_HOME:-~/.cache}/ggufc-clang-tidy, or FOLDER where that cannot be written.
#
# Two thirds of the time go to the headers of others: to parse them and to walk over their syntax trees, once per source.
# So several sources of a folder are checked as one, put one after the other. A batch that does not pass, for what is
# found or because two sources define the same name, is checked again source by source, and only that counts.
set -euo pipefail

cache=${1:?"usage: clang_tidy.sh CACHE|--user-cache FOLDER [FILE...] | --self-test"}
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

if [ "$cache" = --user-cache ]; then
  fallback=${1:?"--user-cache needs a folder to fall back to"}
  shift
  cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ggufc-clang-tidy
  { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null || cache=$fallback
fi
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export tidy cache work
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

# Prints the key of a source in the cache.
key_of() {
  local file=$1 closure
  # The file and every header that it reaches.
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
  # Names that are no files from here (a header beside its includer) change nothing: their folder has them too.
  { echo "$version"; echo "$flags"; cat .clang-tidy; while read -r name; do [ ! -f "$name" ] || cat "$name"; done <<<"$closure"; } |
    sha256sum | cut -c1-40
}

# check FILE KEY: one source. What is found is printed.
check() {
  local output
  # shellcheck disable=SC2086
  if output=$("$tidy" --quiet --config-file=.clang-tidy "$1" -- $flags 2>&1); then
    : >"$cache/$2"
  else
    printf '%s\n' "$output" | grep -vE '^[0-9]+ warnings? (generated|treated as errors?)|^Suppressed '
    return 1
  fi
}

# check_batch "FILE KEY FILE KEY...": sources of one folder.
check_batch() {
  local words i batch status=0 folders=
  read -ra words <<<"$1"
  if [ ${#words[@]} -gt 2 ]; then
    batch=$(mktemp "$work/batch.XXXXXX.cpp")
    for ((i = 0; i < ${#words[@]}; i += 2)); do
      cat "${words[i]}"
      folders+=" -I$(dirname "${words[i]}")"
    done >"$batch"
    # shellcheck disable=SC2086
    if "$tidy" --quiet --config-file=.clang-tidy "$batch" -- $flags $folders >"$batch.log" 2>&1; then
      for ((i = 1; i < ${#words[@]}; i += 2)); do : >"$cache/${words[i]}"; done
      return
    fi
    [ -z "${GGUFC_TIDY_VERBOSE:-}" ] || grep -m 3 -E 'error:' "$batch.log"
  fi
  for ((i = 0; i < ${#words[@]}; i += 2)); do check "${words[i]}" "${words[i + 1]}" || status=1; done
  return $status
}
export -f check check_batch

version=$("$tidy" --version)
pending=
for file in "${files[@]}"; do
  key=$(key_of "$file")
  if [ -e "$cache/$key" ]; then
    touch "$cache/$key"
  else
    pending+="$file $key"$'\n'
  fi
done

# Batches of at most eight sources of a folder of which no two define the same name, as far as that can be seen from lines that
# begin in the first column. Large batches first.
batches=$(awk '
  NF == 2 {
    folder = $1
    sub(/\/.*/, "", folder)
    delete names
    while ((getline line < $1) > 0) {
      name = ""
      if (match(line, /^(struct|class|union|enum class|enum) +[A-Za-z_0-9]+/) || match(line, /^# *define +[A-Za-z_0-9]+/) ||
          match(line, /^using +[A-Za-z_0-9]+ *=/)) {
        name = substr(line, RSTART, RLENGTH)
        gsub(/^.*(struct|class|union|enum|define|using) +| *=$/, "", name)
      } else if (line ~ /^[A-Za-z]/ && line !~ /^(namespace|template|#|using|extern)/) {
        text = line
        if (match(text, /[A-Za-z_][A-Za-z_0-9:~]*(\[[^\]]*\])* *(=|\{|;)/) && text ~ /^(static |inline )*const(expr)? /) {
          name = substr(text, RSTART, RLENGTH)
          gsub(/[^A-Za-z_0-9:].*/, "", name)
        } else if (match(text, /[A-Za-z_][A-Za-z_0-9:~]*\(/)) {
          name = substr(text, RSTART, RLENGTH - 1)
        }
      }
      if (name != "") names[name] = 1
    }
    close($1)
    for (b = 1; b <= count; ++b) {
      if (folders[b] != folder || sizes[b] == 8) continue
      clash = 0
      for (name in names) if ((b, name) in taken) clash = 1
      if (!clash) break
    }
    if (b > count) { ++count; folders[b] = folder; sizes[b] = 0 }
    ++sizes[b]
    lines[b] = lines[b] " " $1 " " $2
    for (name in names) taken[b, name] = 1
  }
  END { for (b = 1; b <= count; ++b) print sizes[b] lines[b] }' <<<"$pending" | sort -rn | cut -d' ' -f2-)

status=0
[ -z "$batches" ] || tr '\n' '\0' <<<"$batches" | xargs -0 -n 1 -P "$(nproc)" bash -c 'check_batch "$1"' check || status=1
# An entry is an empty file. The least recently used go first.
find "$cache" -maxdepth 1 -type f -printf '%T@ %p\n' | sort -rn | tail -n +5001 | cut -d' ' -f2- | xargs -r -d '\n' rm -f
[ $status = 0 ] && echo "clang_tidy: ${#files[@]} files passed"
exit $status

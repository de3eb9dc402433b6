#!/bin/bash
# include_directions.sh [ROOT]    Checks that every folder of ROOT (default: this source tree) includes only what the table
#                                 below allows.
# include_directions.sh --self-test    Checks that it finds the wrong includes of a small tree.
#
# The libraries of a CMake target already limit the quoted includes of its folder. This check adds limits that linking cannot
# express: external libraries (only code generation includes LLVM) and single headers of a folder. Exit status 1: there are
# wrong includes, printed one per line.
set -euo pipefail

# FOLDER: the folders or single headers of ggufc that it may include | the libraries, as prefixes of a path in <>. Every folder
# may include the standard library and the system's headers (a name without a folder, sys/, linux/). The public headers are
# installed in one folder, so they include each other by name alone.
table='
support:  support                                                     | fmt/ tl/ xxhash.h
ir:       ir support                                                  | fmt/
frontend: frontend ir support                                         | fmt/ nlohmann/
passes:   passes ir support                                           | fmt/
runtime:  runtime support ggufc.h ggufc.hpp ggufc_compiler.h          | fmt/
codegen:  codegen ir support runtime/api/code.h runtime/sys/cpu_features.h | fmt/ llvm/
driver:   driver codegen frontend passes runtime ir support           | fmt/
tools:    tools driver codegen frontend passes runtime ir support     | fmt/ nlohmann/ CLI/
'

self_test() {
  local tree=$1 folder found
  while IFS=: read -r folder _; do
    [ -n "$folder" ] || continue
    mkdir -p "$tree/$folder"
    printf '#include "%s/a.h"\n#include <vector>\n#include <sys/stat.h>\n' "$folder" >"$tree/$folder/a.cpp"
    : >"$tree/$folder/a.h"
  done <<<"$table"
  mkdir -p "$tree/tests" && printf '#include <gtest/gtest.h>\n' >"$tree/tests/a.cpp"
  "$0" "$tree" >/dev/null || { echo "self-test: a tree without wrong includes fails"; return 1; }
  printf '  #  include "ir/a.h"  // no\n#include <llvm/ADT/Twine.h>\nauto x = "\n#include <ggufc/ggufc.h>";\n' >"$tree/runtime/b.h"
  printf '#include "runtime/exec/executor.h"\n#include "runtime/api/code.h"\n#include "a.h"\n' >"$tree/codegen/b.cpp"
  printf '#include <xxh3.h>\n#include <nlohmann/json.hpp>\n' >"$tree/ir/b.hpp"
  mkdir "$tree/extra" && printf '#include "ir/a.h"\n' >"$tree/extra/a.cpp"
  found=$("$0" "$tree" || true)
  local want='codegen/b.cpp:1: "runtime/exec/executor.h"
codegen/b.cpp:3: "a.h"
extra: not in the table of folders
ir/b.hpp:2: <nlohmann/json.hpp>
runtime/b.h:1: "ir/a.h"
runtime/b.h:2: <llvm/ADT/Twine.h>'
  if [ "$(grep -v '^include_directions: ' <<<"$found" | sed 's/  .*//' | sort)" != "$want" ]; then
    printf 'self-test: found\n%s\nexpected\n%s\n' "$found" "$want"
    return 1
  fi
}

if [ "${1:-}" = --self-test ]; then
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  self_test "$tree"
  exit
fi

cd "${1:-"$(dirname "$0")/../.."}"
# Folders that may include everything, and folders without sources of ggufc.
free=' tests bench examples build docs scripts cmake '
wrong=0
for folder in */; do
  folder=${folder%/}
  [[ $free == *" $folder "* || $table == *$'\n'"$folder:"* ]] && continue
  if [ -n "$(find "$folder" \( -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' \) -print -quit)" ]; then
    echo "$folder: not in the table of folders"
    wrong=1
  fi
done
mapfile -t folders < <(sed -n 's/^\([a-z]*\):.*/\1/p' <<<"$table")
mapfile -t files < <(find "${folders[@]}" \( -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' \) | sort)
awk -v table="$table" '
  BEGIN {
    count = split(table, lines, "\n")
    for (i = 1; i <= count; ++i) {
      if (split(lines[i], parts, /[:|]/) != 3) continue
      ours[parts[1]] = parts[2]
      theirs[parts[1]] = parts[3]
    }
  }
  function Complain(what) {
    print FILENAME ":" FNR ": " what "  (" folder " may include: " ours[folder] "|" theirs[folder] ")"
    wrong = 1
  }
  FNR == 1 { folder = FILENAME; sub(/\/.*/, "", folder) }
  /^[ \t]*#[ \t]*include[ \t]*["<]/ {
    ++seen
    line = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    if (line ~ /^"/) {
      name = substr(line, 2)
      sub(/".*/, "", name)
      from = name
      sub(/\/.*/, "", from)
      may = " " ours[folder] " "
      if (index(may, " " name " ") == 0 && (from == name || index(may, " " from " ") == 0)) Complain("\"" name "\"")
    } else {
      name = substr(line, 2)
      sub(/>.*/, "", name)
      # A public header of ggufc, in generated text.
      if (name ~ /^ggufc\//) next
      if (name !~ /\// && name != "xxhash.h") next
      if (name ~ /^(sys|linux)\//) next
      count = split(theirs[folder], allowed, " ")
      good = 0
      for (i = 1; i <= count; ++i) good = good || index(name, allowed[i]) == 1
      if (!good) Complain("<" name ">")
    }
  }
  END {
    print "include_directions: " seen " includes in " ARGC - 1 " files"
    exit wrong || seen == 0
  }' "${files[@]}" || wrong=1
exit $wrong

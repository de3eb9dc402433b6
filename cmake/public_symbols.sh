#!/bin/bash
# public_symbols.sh HEADER OUTPUT [NAME...]: the functions that a C header of ours declares, and NAMEs, one a line. CC
# preprocesses it, so that comments and macros do not count.
set -euo pipefail
header=$1 output=$2
shift 2
{
  "$CC" -E -P "$header" | grep -oE '\bggufc_[a-z0-9_]+ *\(' | tr -d ' ('
  [ $# = 0 ] || printf '%s\n' "$@"
} | LC_ALL=C sort -u >"$output.new"
mv "$output.new" "$output"

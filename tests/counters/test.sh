#!/bin/bash
# tests/counters/test.sh PROGRAM BASELINE DIR
#
# The test counters.instructions: compares the instructions per token of a forward pass, counted by callgrind, with BASELINE.
# Times vary by 10 % on a shared machine. The count does not vary, so it shows a lost optimisation, a spill in a micro-kernel
# or a loop that runs twice. Fails if the count grew by more than 5 %. BLESS=1 rewrites BASELINE. Exit status 77: skipped, no
# valgrind on this machine (or no AVX2).
set -euo pipefail
program=$1 baseline=$2 dir=$3
limit_percent=5
tokens=64  # kTokens of count_forward.cpp

skip() {
  echo '=========================================================================='
  echo "SKIPPED: $1, instructions were NOT counted"
  echo '=========================================================================='
  exit 77
}

command -v valgrind >/dev/null || skip 'no valgrind on this machine (apt-get install valgrind)'
mkdir -p "$dir"
status=0
"$program" prepare "$dir" || status=$?
[ $status = 77 ] && skip 'this machine has no AVX2'
[ $status = 0 ] || exit $status

# Prints instructions per token.
count() {
  local mode=$1 out=$dir/$1.callgrind
  if ! valgrind --tool=callgrind --collect-atstart=no --toggle-collect=CountedForward \
    --callgrind-out-file="$out" "$program" run "$dir" "$mode" >"$dir/$mode.log" 2>&1; then
    cat "$dir/$mode.log" >&2
    return 1
  fi
  awk -v tokens=$tokens '/^(summary|totals):/ { total = $2 }
    END { if (total < tokens) exit 1; printf "%d\n", total / tokens }' "$out" ||
    { echo "$out: no counts" >&2; return 1; }
}

blessed=()
failed=0
for mode in i16 i7; do
  now=$(count $mode)
  blessed+=("avx2 $mode $tokens $now")
  [ "${BLESS:-}" != 1 ] || continue
  before=$(awk -v key="avx2 $mode $tokens" '$1 " " $2 " " $3 == key { print $4 }' "$baseline")
  if [ -z "$before" ]; then
    echo "FAILED: $baseline has no line 'avx2 $mode $tokens'; run again with BLESS=1"
    exit 1
  fi
  echo "avx2 $mode, $tokens tokens: $now instructions per token, baseline $before" \
    "($(awk -v a="$now" -v b="$before" 'BEGIN { printf "%+.2f", 100 * (a - b) / b }') %)"
  if [ $((now * 100)) -gt $((before * (100 + limit_percent))) ]; then
    echo "FAILED: more than $limit_percent % above the baseline."
    echo "To see the functions that execute them: callgrind_annotate $dir/$mode.callgrind"
    failed=1
  elif [ $((now * (100 + limit_percent))) -lt $((before * 100)) ]; then
    echo "note: more than $limit_percent % below the baseline; BLESS=1 makes it the baseline"
  fi
done
if [ "${BLESS:-}" = 1 ]; then
  { sed -n '/^#/p' "$baseline"; printf '%s\n' "${blessed[@]}"; } >"$baseline.new"
  mv "$baseline.new" "$baseline"
  echo "blessed $baseline:"
  printf '%s\n' "${blessed[@]}"
elif [ $failed = 1 ]; then
  echo 'If the growth is intended and measurements justify it: BLESS=1 ctest -R counters.instructions'
fi
exit $failed

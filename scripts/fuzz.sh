#!/bin/bash
# Fuzzes one door of the program, or each in turn, with libFuzzer (docs/fuzzing.md).
#
#   scripts/fuzz.sh TARGET|all [SECONDS] [libFuzzer flags...]     default: 60 seconds each
#
# Needs clang-19 and its runtime (Debian: clang-19 libclang-rt-19-dev). Builds the preset `fuzz` in build/fuzz, or in
# $GGUFC_FUZZ_BUILD. What is found goes to BUILD/tests/fuzz/found/TARGET, the log to BUILD/tests/fuzz/TARGET.log.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit "$1"; }
[ $# -ge 1 ] || usage 2
case $1 in -h | --help) usage 0 ;; esac
target=$1
seconds=${2:-60}
shift $(($# < 2 ? $# : 2))

for tool in clang++-19 cmake ninja; do
  command -v $tool >/dev/null || { echo "fuzz: '$tool' is not on PATH; see docs/fuzzing.md" >&2; exit 1; }
done
build=${GGUFC_FUZZ_BUILD:-$PWD/build/fuzz}
[ -f "$build/build.ninja" ] || cmake --preset fuzz -B "$build" >/dev/null

known=()
for file in tests/fuzz/targets/fuzz_*.cpp; do
  name=${file#tests/fuzz/targets/fuzz_} name=${name%.cpp}
  known+=("$name")
done
if [ "$target" = all ]; then
  targets=("${known[@]}")
else
  [[ " ${known[*]} " == *" $target "* ]] || { echo "fuzz: no target '$target'; there are: ${known[*]}" >&2; exit 2; }
  targets=("$target")
fi
ninja -C "$build" "${targets[@]/#/fuzz_}"

work=$build/tests/fuzz
status=0
for name in "${targets[@]}"; do
  mkdir -p "$work/found/$name"
  mapfile -t arguments <"$work/$name.args"
  echo "fuzz: $name for $seconds s"
  (cd "$work" && "$build/bin/fuzz_$name" "-max_total_time=$seconds" -print_final_stats=1 \
    "-artifact_prefix=$work/found/$name-" "${arguments[@]}" "$@") \
    >"$work/$name.log" 2>&1 || status=1
  grep -E '^#[0-9]+' "$work/$name.log" | tail -1
  grep -E 'ERROR|SUMMARY|requirement failed|CHECK\(' "$work/$name.log" || true
done
exit $status

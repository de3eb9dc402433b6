#!/bin/bash
# scripts/test.sh [--preset PRESET] [CTEST OPTIONS...]
#
# Builds everything (scripts/build.sh) and runs all tests, then those of them that are quickly built with sanitizers
# (scripts/test_sanitizers.sh --quick). PRESET: release (default), debug, asan or tsan. Other options go to ctest, which then is
# all that runs: -R REGEX runs the tests whose name matches, -E REGEX leaves tests out, -V shows all output.
# Exit status: 0 when all tests passed. Tests that this machine cannot run (no emulator, no tokenizer) are listed as
# skipped.
set -euo pipefail

preset=release
ctest_options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --preset=*) preset=${1#--preset=} ;;
    *) ctest_options+=("$1") ;;
  esac
  shift
done
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
scripts/build.sh "$preset"
scripts/fetch_tokenizer.sh >/dev/null || echo "test: going on without the real tokenizer; its tests will be skipped" >&2
status=0
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel "$(nproc)" "${ctest_options[@]}" || status=1
if [ "$preset" = release ] && [ ${#ctest_options[@]} = 0 ]; then
  scripts/test_sanitizers.sh --quick || status=1
fi
exit $status

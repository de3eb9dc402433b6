#!/bin/bash
# scripts/test.sh [--preset PRESET] [--emulator] [CTEST OPTIONS...]
#
# Builds everything (scripts/build.sh) and runs all tests, then those of them that are quickly built with sanitizers
# (scripts/test_sanitizers.sh --quick). PRESET: release (default), debug, asan or tsan. --emulator: emulator.avx512 also
# where the machine runs AVX-512 code itself. Other options go to ctest, which then is all that runs: -L driver runs the
# tests of tests/driver, -R REGEX those whose name matches, -V shows all output. One case: docs/testing.md.
#
# The last line is "N passed, N failed, N skipped": cases of the test binaries, and tests that are scripts. Exit status: 0
# when all tests passed. Tests that this machine cannot run (no emulator, no tokenizer) are skipped.
set -euo pipefail

preset=release
build_options=()
ctest_options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --preset=*) preset=${1#--preset=} ;;
    --emulator) build_options+=(-DGGUFC_EMULATOR=ON) ;;
    *) ctest_options+=("$1") ;;
  esac
  shift
done
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
scripts/build.sh "$preset" "${build_options[@]}"
scripts/fetch_tokenizer.sh >/dev/null || echo "test: going on without the real tokenizer; its tests will be skipped" >&2
status=0
builds=("build/$preset")
scripts/run_ctest.sh "build/$preset" "${ctest_options[@]}" || status=1
if [ "$preset" = release ] && [ ${#ctest_options[@]} = 0 ]; then
  builds+=(build/asan-quick)
  rm -rf build/asan-quick/test_results
  scripts/test_sanitizers.sh --quick || status=1
fi
scripts/count_tests.sh "${builds[@]}" || status=1
exit $status

#!/bin/bash
# scripts/test_sanitizers.sh [--quick] [--asan | --tsan] [CTEST OPTIONS...]
#
# Runs the tests in builds that watch themselves: all of them under AddressSanitizer and UndefinedBehaviorSanitizer
# (preset asan), then what works with threads under ThreadSanitizer (preset tsan). Takes hours on two cores, nearly all of it
# building and the compilers of the tests; scripts/test.sh runs the --quick part.
#
#   --quick   only the folders that read files and texts and need no LLVM, under the first two; a stack then has no line
#             numbers (preset asan-quick)
#   --asan    only the first half; --tsan only the second
# Other options go to ctest, as -R REGEX. Exit status: 0 when all tests passed and no sanitizer complained.
set -euo pipefail

quick=0
halves='asan tsan'
ctest_options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --quick) quick=1 ;;
    --asan) halves=asan ;;
    --tsan) halves=tsan ;;
    *) ctest_options+=("$1") ;;
  esac
  shift
done
cd "$(dirname "$0")/.."

# Any complaint ends the test: with a status that is no signal, so that tests that expect one fail, and with a stack.
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:${ASAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:${TSAN_OPTIONS:-}

# What works with threads: temporary files and signals (support), the thread pool and the executor (runtime), one handle in
# many threads (abi), one answer for any number of threads (of the compiler's tests).
threaded_folders=(support runtime abi driver)

run() {
  local preset=$1
  shift
  scripts/run_ctest.sh "build/$preset" --timeout 3600 "$@"
}

if [ $quick = 1 ]; then
  folders=(support ir frontend runtime tokenizer)
  scripts/build.sh asan-quick --target "${folders[@]/%/_test}"
  run asan-quick -L "^($(IFS='|'; echo "${folders[*]}"))\$"
  exit
fi
status=0
for half in $halves; do
  if [ "$half" = asan ]; then
    scripts/build.sh asan
    run asan "${ctest_options[@]}" || status=1
  else
    scripts/build.sh tsan --target "${threaded_folders[@]/%/_test}"
    run tsan -L '^(support|runtime|abi)$' "${ctest_options[@]}" || status=1
    build/tsan/bin/driver_test --gtest_filter='OneAnswer*' || status=1
  fi
done
exit $status

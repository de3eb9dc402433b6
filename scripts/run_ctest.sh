#!/bin/bash
# scripts/run_ctest.sh BUILD_FOLDER [CTEST OPTIONS...]: ctest on all processors, with its results and those of the test
# binaries in BUILD_FOLDER/test_results, for scripts/count_tests.sh.
set -euo pipefail
build=$(cd "${1:?usage: run_ctest.sh BUILD_FOLDER [CTEST OPTIONS...]}" && pwd)
shift
rm -rf "$build/test_results"
mkdir "$build/test_results"
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$(nproc)" \
  --output-junit "$build/test_results/ctest.xml" "$@"

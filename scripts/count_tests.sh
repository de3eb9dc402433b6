#!/bin/bash
# scripts/count_tests.sh BUILD_FOLDER...: prints "N passed, N failed, N skipped" for what scripts/run_ctest.sh left in
# BUILD_FOLDER/test_results, and the names of what was skipped on standard error. The test binaries count case by case
# (driver.1.json), other tests (ctest.xml) as one each, and so does a binary that ended without results. Exit status: 0 when
# nothing failed and something passed.
# scripts/count_tests.sh --self-test: checks that it counts right.
set -euo pipefail
shopt -s nullglob

if [ "${1:-}" = --self-test ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  results=$folder/test_results
  mkdir "$results"
  expect() {
    local found status=0
    found=$("$0" "$folder" 2>/dev/null) || status=$?
    [ "$found, status $status" = "$1" ] || { echo "self-test: '$found, status $status' instead of '$1'"; exit 1; }
  }
  expect '0 passed, 0 failed, 0 skipped, status 1'
  printf '<testcase name="a.1" status="run"/>\n<testcase name="script" status="run"/>\n<testcase name="no" status="notrun"/>\n' >"$results/ctest.xml"
  printf '{\n"failures": 0,\n"result": "COMPLETED",\n"result": "COMPLETED",\n"result": "SKIPPED",\n}\n' >"$results/a.1.json"
  expect '3 passed, 0 failed, 2 skipped, status 0'
  printf '{\n"failures": 1,\n"failures": 1,\n"result": "COMPLETED",\n"result": "COMPLETED",\n}\n' >"$results/a.2.json"
  printf '<testcase name="a.2" status="fail"/>\n<testcase name="a.3" status="fail"/>\n' >>"$results/ctest.xml"
  expect '4 passed, 2 failed, 2 skipped, status 1'
  exit
fi

passed=0 failed=0 skipped=0
add() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3)); }
for build in "$@"; do
  for file in "$build"/test_results/*.json; do
    # The first "failures" is the sum of the file.
    read -r p f s < <(awk -v shard="$(basename "$file" .json)" '
      /"failures": [0-9]/ && !seen { seen = 1; gsub(/[^0-9]/, ""); failed = $0 }
      /"result": "COMPLETED"/ { ++completed }
      /"name": / { name = $2; gsub(/[",]/, "", name) }
      /"result": "SKIPPED"/ { ++skipped; print "skipped: " shard " " name >"/dev/stderr" }
      END { print completed - failed, failed + 0, skipped + 0 }' "$file")
    add "$p" "$f" "$s"
  done
  if [ -f "$build/test_results/ctest.xml" ]; then
    while read -r name result; do
      [ ! -f "$build/test_results/$name.json" ] || continue
      case $result in
        run) add 1 0 0 ;;
        fail) add 0 1 0 ;;
        *)
          echo "skipped: $name" >&2
          add 0 0 1
          ;;
      esac
    done < <(sed -nE 's/.*<testcase name="([^"]*)".* status="([a-z]*)".*/\1 \2/p' "$build/test_results/ctest.xml")
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed != 0 ]

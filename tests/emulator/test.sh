#!/bin/bash
# tests/emulator/test.sh DIR SELF_CHECK [PROGRAM CASES [COMPILED_MODEL EXPECTED]]
#
# The test emulator.avx512. DIR is the folder of the emulator's files, which setup.sh makes. The test first checks the
# emulator: an AVX-512 VNNI instruction must end in SIGILL on the emulated AVX2 CPU, and give the results of plain loops on
# the emulated AVX-512 VNNI CPU. Then it runs PROGRAM with the compiled models in CASES. Then it runs COMPILED_MODEL, compiled
# ahead of time for the AVX-512 VNNI CPU only: it must compute EXPECTED there, and exit with status 3 on the AVX2 CPU. Exit
# status 77: skipped, no emulator on this machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 self_check=$2 program=${3:-} cases=${4:-} model=${5:-} expected=${6:-}

status=0
"$here/setup.sh" "$dir" || status=$?
if [ $status = 77 ]; then
  echo '=========================================================================='
  echo 'SKIPPED: no emulator on this machine, AVX-512 code was NOT run (see above)'
  echo '=========================================================================='
  exit 77
fi
[ $status = 0 ] || exit $status

# in_emulator EXPECTED_STATUS ARGS_OF_RUN...
in_emulator() {
  local expected=$1 status=0 start=$SECONDS
  shift
  "$here/run.sh" -d "$dir" "$@" || status=$?
  if [ $status != "$expected" ]; then
    echo "FAILED: run.sh $*: status $status, expected $expected"
    exit 1
  fi
  echo "-- status $status as expected, $((SECONDS - start)) s"
}

echo 'self-check: an AVX-512 instruction on an AVX2 CPU must be illegal'
in_emulator 132 -c corei7_haswell_4770 "$self_check" illegal
echo 'self-check: AVX-512 VNNI arithmetic'
in_emulator 0 "$self_check"
if [ -n "$program" ]; then
  echo 'compiled models on an AVX-512 VNNI CPU'
  in_emulator 0 -t 500 -f "$cases" "$program" "${cases##*/}"
fi
if [ -n "$model" ]; then
  echo 'an ahead-of-time model for AVX-512 VNNI, on that CPU and on one that lacks it'
  in_emulator 0 -t 300 -f "$expected" "$model" "${expected##*/}"
  in_emulator 3 -c corei7_haswell_4770 -f "$expected" "$model" "${expected##*/}"
fi

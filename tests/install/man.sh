#!/bin/bash
# man.sh PREFIX WORK_FOLDER: checks that the manual pages have every command and option of --help and that groff gives no
# warnings.
set -euo pipefail
prefix=$1 work=$2
mkdir -p "$work"
failed=0
for program in ggufc ggufc-opt; do
  page=$prefix/share/man/man1/$program.1
  options=0
  commands=$("$prefix/bin/$program" --help | awk '/^Commands:$/ { on = 1; next } on && !/^  / { exit } on { print $1 }')
  for command in '' $commands; do
    # shellcheck disable=SC2086  # an empty command must not become an argument
    while read -r option; do
      options=$((options + 1))
      grep -qxF ".B ${option//-/\\-}" "$page" || { echo "$page: does not have $option of '$program $command'"; failed=1; }
    done < <("$prefix/bin/$program" $command --help | awk '/^Options:$/ { on = 1; next } /^[^ ]/ { on = 0 }
      on && /^  -/ { sub(/^  /, ""); if (length($0) > 28 && substr($0, 28, 1) == " ") $0 = substr($0, 1, 27); sub(/  +.*/, ""); sub(/ $/, ""); print }')
  done
  echo "$program.1: $options options"
  [ $options -ge 8 ] || { echo "found too few options in --help: check the parsing above"; failed=1; }
  if command -v groff >/dev/null; then
    groff -man -Tutf8 -ww "$page" >"$work/$program.txt" 2>"$work/$program.warnings" || failed=1
    [ ! -s "$work/$program.warnings" ] || { cat "$work/$program.warnings"; failed=1; }
  else
    echo "not installed: groff"
  fi
done
exit $failed

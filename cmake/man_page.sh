#!/bin/bash
# man_page.sh PROGRAM VERSION OUTPUT: a manual page from what `PROGRAM --help` says, and `PROGRAM COMMAND --help` for each
# command listed there. Lines of a help text: "Usage: ..." is the synopsis, "Words:" or "Words (--option):" alone
# opens a section, and in "Options:", "Commands:" and "Positionals:" a line that is indented by two opens an entry.
set -euo pipefail
program=$1 version=$2 output=$3
name=$(basename "$program")

# page LEVEL: help text on stdin, roff on stdout. LEVEL is SH for the program's own sections, SS for those of a command.
page() {
  LC_ALL=C awk -v level="$1" '
    function roff(text) {
      gsub(/\\/, "\\e", text)
      gsub(/-/, "\\-", text)
      if (text ~ /^[.\x27]/) text = "\\&" text
      return text
    }
    function verbatim(on) {
      if (on != as_is) print on ? ".nf" : ".fi"
      as_is = on
    }
    function section(title) {
      verbatim(0)
      print "." level, "\"" roff(level == "SH" ? toupper(title) : title) "\""
      listing = title ~ /^(Options|Commands|Positionals)$/
      blank = 0
    }
    /^Usage: / {
      text = substr($0, 8)
      if (level == "SH") section("Synopsis"); else print ".PP"
      n = split(text, forms, /    +/)
      for (i = 1; i <= n; ++i) print (i > 1 ? ".br\n" : "") ".B " roff(forms[i])
      if (level == "SH") section("Description"); else print ".PP"
      fresh = 1
      next
    }
    /^[A-Z][a-z ]*( \(--[a-z]+\))?:$/ { section(substr($0, 1, length($0) - 1)); next }
    /^ *$/ { blank = 1; next }
    listing && /^  [^ ]/ {
      entry = substr($0, 3)
      # The text starts where the column does that most lines share; a longer term has it on the next line.
      cut = match(entry, /  +[^ ]/)
      if (!cut && length(entry) > 28 && substr(entry, 28, 1) == " ") { cut = 28; RLENGTH = 2 }
      print ".TP"
      print ".B " roff(cut ? substr(entry, 1, cut - 1) : entry)
      if (cut) print roff(substr(entry, cut + RLENGTH - 1))
      blank = 0
      next
    }
    {
      if (!listing) verbatim($0 ~ /^ /)
      if (blank && !fresh) print as_is ? "" : ".PP"
      if (blank && /^[^ ]/) listing = 0
      blank = fresh = 0
      text = $0
      if (as_is) sub(/^  /, "", text); else sub(/^ +/, "", text)
      print roff(text)
    }
    END { verbatim(0) }'
}

help=$("$program" --help)
# What it is: the first line that is no usage, less its subject.
summary=$(grep -v '^Usage: ' <<<"$help" | head -n 1 | sed "s/^$name //; s/\.$//; s/-/\\\\-/g")
{
  echo ".TH \"${name^^}\" 1 \"\" \"$name $version\" \"User Commands\""
  echo '.SH NAME'
  echo "${name//-/\\-} \\- ${summary,}"
  # Synopsis first, as manual pages have it, then what the help begins with.
  { grep '^Usage: ' <<<"$help"; grep -v '^Usage: ' <<<"$help"; } | page SH
  commands=$(awk '/^Commands:$/ { on = 1; next } on && !/^  / { exit } on { print $1 }' <<<"$help")
  for command in $commands; do
    echo ".SH \"${name^^} ${command^^}\""
    "$program" "$command" --help | page SS
  done
} >"$output.new"
mv "$output.new" "$output"

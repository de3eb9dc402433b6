#!/bin/bash
# self_contained.sh OUTPUT.a WORK_FOLDER LIBSTDCXX.a SYMBOLS OBJECT...
#
# An archive of C++ objects that a C program links like one of C: what the objects use of the C++ library is put into it,
# and only SYMBOLS (a file, one name a line) can be seen from outside. Whatever C++ library the program itself uses, or
# none, the two do not meet. What is left undefined comes from the C library and from libgcc, which every compiler driver
# links unasked; the unwinder of libgcc is thus the program's own, and exceptions find their way in both halves.
#
# LD, OBJCOPY and AR come from the environment. The first two are GNU's: others do not discard sections in a relocatable
# link.
set -euo pipefail
output=$1 work=$2 libstdcxx=$3 symbols=$4
shift 4
mkdir -p "$work"

roots=()
keep=()
while read -r symbol; do
  roots+=(--require-defined="$symbol")
  keep+=(--keep-global-symbol="$symbol")
done <"$symbols"
[ ${#roots[@]} -gt 0 ] || { echo "self_contained: no names in $symbols" >&2; exit 1; }

# The objects as an archive (q: two may have one name): those that no root needs stay out, and with them their static
# initialisers, which would count as roots. Two names are wanted by hand: our own __verbose_terminate_handler
# (terminate.cpp) must be there before libstdc++.a is searched, and __cxa_pure_virtual is referred to weakly, which alone
# takes nothing out of an archive.
rm -f "$work/objects.a"
"$AR" qcsD "$work/objects.a" "$@"
"$LD" -r -T "$(dirname "$0")/merge_sections.ld" --gc-sections --force-group-allocation "${roots[@]}" \
  -u _ZN9__gnu_cxx27__verbose_terminate_handlerEv -u __cxa_pure_virtual \
  "$work/objects.a" "$libstdcxx" -o "$work/linked.o"

# Two passes: names that must be one in the whole process (STB_GNU_UNIQUE: static locals of inline functions, members
# of templates) cannot be made local in one, so they are made weak first. --strip-unneeded also takes the undefined
# names that only discarded sections had used; names of functions stay, for debuggers and profilers.
"$OBJCOPY" --strip-unneeded --wildcard --weaken-symbol='_Z*' "$work/linked.o" "$work/weakened.o"
"$OBJCOPY" "${keep[@]}" "$work/weakened.o" "$work/$(basename "$output" .a).o"

rm -f "$output.new"
"$AR" rcsD "$output.new" "$work/$(basename "$output" .a).o"
mv "$output.new" "$output"

#!/bin/bash
# archive.sh PREFIX WORK_FOLDER: checks the symbols and the size of libggufc_runtime.a.
set -euo pipefail
archive=$1/lib/libggufc_runtime.a work=$2
mkdir -p "$work"
failed=0
fail() { echo "$*"; failed=1; }

# Defined global symbols: exactly the functions that the header declares.
nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort >"$work/defined"
sed 's://.*::' "$1/include/ggufc/ggufc.h" | tr '\n' ' ' | sed 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g' |
  grep -oE 'GGUFC_API [^;]*;' | grep -oE 'ggufc_[a-z_]+\(' | tr -d '(' | sort >"$work/declared"
diff "$work/declared" "$work/defined" || fail "declared (<) and defined (>) differ"
[ "$(wc -l <"$work/declared")" -ge 15 ] || fail "found too few declarations in the header: check the parsing above"

# Undefined symbols: none of C++, so that no C++ library is needed, and none of a program.
nm -u "$archive" | awk 'NF == 2 { print $1, $2 }' >"$work/wanted"
grep -E ' (_Z|__cxa_(throw|begin|end|alloc|free|guard|pure|rethrow)|__gxx|ggufc_)' "$work/wanted" && fail "undefined symbols that are not of C"
grep -vE '^U ' "$work/wanted" && fail "weak references, for which a linker takes no member from a static library"
nm "$archive" | grep -iE 'llvm|_ZN3CLI|nlohmann|_ZN5ggufc(2ir|7codegen|8compiler|8frontend|6passes)' && fail "symbols of the compiler"

# The limit of the project is 1 MB.
bytes=$(stat -c %s "$archive")
echo "libggufc_runtime.a: $bytes bytes, $(size "$archive" | awk 'NR == 2 { print $1 }') of code and constants"
[ "$BUILD_TYPE" != Release ] || [ "$bytes" -lt 1000000 ] || fail "more than 1,000,000 bytes"
exit $failed

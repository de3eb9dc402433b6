#!/bin/bash
# version.sh PREFIX WORK_FOLDER: one version everywhere. `ggufc --version`, the manual pages, ggufcConfigVersion.cmake, pkg-config and
# ggufc_version() in a C program, linked with the runtime archive and with libggufc.so, must agree.
set -euo pipefail
prefix=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
cd "$work"
failed=0
expected=$("$prefix/bin/ggufc" --version | awk '{ print $2 }')
[[ $expected =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "ggufc --version: '$expected' is no version"; exit 1; }
# check WHERE VERSION
check() {
  if [ "$2" != "$expected" ]; then
    echo "$1: version '$2', ggufc --version: '$expected'"
    failed=1
  fi
}

check ggufcConfigVersion.cmake \
  "$(sed -n 's/^set(PACKAGE_VERSION "\(.*\)")$/\1/p' "$prefix/lib/cmake/ggufc/ggufcConfigVersion.cmake")"
for page in ggufc ggufc-opt; do
  check "$page.1" "$(sed -n 's/^\.TH .*"'"$page"' \([^"]*\)".*/\1/p' "$prefix/share/man/man1/$page.1")"
done

cat >version.c <<'C'
#include <ggufc/ggufc.h>
#include <stdio.h>
int main(void) { return puts(ggufc_version()) < 0; }
C
"$CC" -I"$prefix/include" version.c "$prefix/lib/libggufc_runtime.a" -lm -lpthread -o with_archive
check "ggufc_version() of libggufc_runtime.a" "$(./with_archive)"
"$CC" -I"$prefix/include" version.c -L"$prefix/lib" -lggufc -Wl,-rpath,"$prefix/lib" -o with_library
check "ggufc_version() of libggufc.so" "$(./with_library)"

if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  for package in ggufc ggufc-runtime; do
    check "$package.pc" "$(pkg-config --modversion "$package")"
  done
else
  echo "not here: pkg-config"
fi
echo "version $expected"
exit $failed

#!/bin/bash
# install.sh BUILD_FOLDER WORK_FOLDER CONFIG: installs with --prefix and with DESTDIR and compares the two. Then moves the first
# installation, so that files that contain its path fail in the tests that use them.
set -euo pipefail
build=$1 work=$2 config=$3
rm -rf "$work/first" "$work/prefix" "$work/dest"
cmake --install "$build" --config "$config" --prefix "$work/first" >"$work/install.log"
DESTDIR=$work/dest cmake --install "$build" --config "$config" --prefix /opt/ggufc >>"$work/install.log"
diff -r "$work/first" "$work/dest/opt/ggufc"
mv "$work/first" "$work/prefix"
rm -rf "$work/dest"

for file in bin/ggufc bin/ggufc-opt include/ggufc/ggufc.h include/ggufc/ggufc.hpp lib/libggufc_runtime.a lib/libggufc_main.a \
  lib/cmake/ggufc/ggufcConfig.cmake lib/cmake/ggufc/ggufcConfigVersion.cmake lib/cmake/ggufc/ggufc_add_model.cmake \
  include/ggufc/ggufc_compiler.h include/ggufc/ggufc_compiler.hpp lib/libggufc.so lib/pkgconfig/ggufc.pc lib/pkgconfig/ggufc-runtime.pc share/man/man1/ggufc.1 share/man/man1/ggufc-opt.1 \
  share/doc/ggufc/README.md share/doc/ggufc/CHANGELOG.md share/doc/ggufc/CONTRIBUTING.md share/doc/ggufc/SECURITY.md \
  share/doc/ggufc/LICENSE share/doc/ggufc/NOTICE share/doc/ggufc/THIRD_PARTY_NOTICES.md \
  share/doc/ggufc/docs/decisions.md; do
  [ -s "$work/prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done
# Text files with the path of the build or of the prefix would be wrong after a move.
if grep -rIlF -e "$build" -e "$work" "$work/prefix"; then
  echo "the files above contain the path of the build folder or of the prefix"
  exit 1
fi

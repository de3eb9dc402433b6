#!/bin/bash
# tests/emulator/setup.sh DIR
#
# Makes the files in DIR that run.sh boots: Debian's cloud kernel, a boot ROM and PID 1. Does nothing if they exist. Needs the
# packages that scripts/bootstrap.sh installs (bochs bochs-term bochsbios vgabios cpio binutils gcc libc6-dev) and, the first
# time, Debian's package server for the kernel (11 MB). Does not need root. Exit status 77: a requirement is missing; stderr
# names it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: setup.sh DIR}
mkdir -p "$dir"
cd "$dir"
# Concurrent test runs may share the folder.
exec 9> lock
flock 9

unavailable() { echo "emulator setup: $*" >&2; exit 77; }

for tool in bochs-bin cpio as ld gcc dpkg-deb apt-get apt-cache; do
  command -v "$tool" >/dev/null || unavailable "'$tool' is not installed (scripts/bootstrap.sh installs it)"
done
[ -e /usr/share/vgabios/vgabios.bin ] || unavailable "package vgabios is not installed"

if [ ! -s vmlinuz ]; then
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ { print $2; exit }')
  [ -n "$package" ] || unavailable "apt knows no linux-image-cloud-amd64 (Debian's kernel; try: apt-get update)"
  rm -rf deb && mkdir deb
  # apt's sandbox user cannot write to this folder. The download is still verified.
  (cd deb && apt-get -qq -o APT::Sandbox::User=root -o Acquire::http::Timeout=20 download "$package" </dev/null >&2) ||
    unavailable "cannot download $package"
  dpkg-deb --fsys-tarfile deb/*.deb | tar -xO --wildcards './boot/vmlinuz-*' > vmlinuz.part
  mv vmlinuz.part vmlinuz
  rm -rf deb
fi
if [ rom.bin -ot "$here/rom.S" ]; then
  as --32 -o rom.o "$here/rom.S"
  ld -m elf_i386 -Ttext 0 --oformat binary -o rom.bin.part rom.o
  mv rom.bin.part rom.bin
fi
if [ init -ot "$here/init.c" ]; then
  gcc -O2 -static -Wall -Wextra -o init.part "$here/init.c"
  mv init.part init
fi

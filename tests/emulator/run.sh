#!/bin/bash
# tests/emulator/run.sh -d DIR [-c CPU] [-m MIB] [-t SECONDS] [-f PATH]... PROGRAM [ARG...]
#
# Runs an x86-64 Linux program on an emulated CPU with AVX-512 F/BW/DQ/VL/VNNI. Bochs runs Debian's kernel, which a small boot
# ROM starts from guest memory (no BIOS, no boot loader, no disk), with the program in the initramfs. Prints the program's
# output (stdout and stderr merged) and exits with its status: 128+N if signal N killed it, 125 if the emulator or the kernel
# failed or the time limit was reached. A boot takes 10 s. The guest runs about 70 M simple instructions per second.
#   -d DIR      the folder with the kernel, the ROM and PID 1 that setup.sh made
#   -c CPU      corei7_icelake_u (default), corei7_skylake_x (AVX-512 without VNNI), corei7_haswell_4770 (AVX2)
#   -f PATH     file or directory copied into the program's working directory (repeatable)
#   -m MIB      guest memory (default: 512 plus three times the files)
#   -t SECONDS  time limit (default 300)
#
# Known bugs of Bochs 2.7, not of ggufc: vcvtudq2ps and similar are 1 ulp low for inputs of 2^31
# and more; vpbroadcastb zmm{k}, m8 is wrong; masked vpmovzx*/vpmovsx*, vcvtph2ps and vpexpandd fault when masked-off
# lanes touch an unmapped page.
set -Eeuo pipefail
trap 'exit 125' ERR
here=$(cd "$(dirname "$0")" && pwd)
dir='' cpu=corei7_icelake_u mem='' limit=300 files=()
while getopts d:c:m:t:f: option; do
  case $option in
    d) dir=$(cd "$OPTARG" && pwd) ;;
    c) cpu=$OPTARG ;;
    m) mem=$OPTARG ;;
    t) limit=$OPTARG ;;
    f) files+=("$OPTARG") ;;
    *) exit 125 ;;
  esac
done
shift $((OPTIND - 1))
if [ -z "$dir" ] || [ $# = 0 ]; then
  echo 'usage: run.sh -d DIR [-c CPU] [-m MIB] [-t SECONDS] [-f PATH]... PROGRAM [ARG...]' >&2
  exit 125
fi
program=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/t"
cp "$dir/init" "$work/root/init"
cp -L "$program" "$work/root/t/"
for file in "${files[@]}"; do cp -rL "$file" "$work/root/t/"; done
{ ldd "$program" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | xargs -r cp -L --parents -t "$work/root"
printf '%s\0' "./${program##*/}" "$@" > "$work/root/args"
cd "$work"
(cd root && find . | cpio -o -H newc --quiet) > initrd
ln -s "$dir/vmlinuz" "$dir/rom.bin" .
# clearcpuid disables xsavec, xsaves, pku and ospke (Bochs's CPUID leaf 0xd is inconsistent with them) and fsrm (Bochs leaves
# fast strings off in MISC_ENABLE, with which memmove of Linux 6.1 fails). initcall_blacklist saves boot time.
printf %s 'quiet console=ttyS0,115200 panic=-1 nokaslr mitigations=off acpi=off pci=off cryptomgr.notests' \
  ' clearcpuid=321,323,515,516,580 initcall_blacklist=x509_key_init,load_system_certificate_list,' \
  'trace_eval_init,ftrace_check_for_weak_functions' > cmdline
size=$(stat -c %s initrd)
mem=${mem:-$((512 + 3 * (size >> 20)))}
kernel=$(((0x102000 + size + 0x1fffff) & ~0x1fffff))
as --64 --defsym MEM="$mem" --defsym KERNEL=$((kernel > 0x1000000 ? kernel : 0x1000000)) \
  --defsym PM=$((($(od -An -tu1 -j 0x1f1 -N1 vmlinuz) + 1) * 512)) -o ram.o "$here/ram.S"
ld -Ttext 0x100000 --oformat binary -o ram ram.o
cat > bochsrc <<END
config_interface: textconfig
display_library: term
romimage: file=rom.bin
vgaromimage: file=/usr/share/vgabios/vgabios.bin
optramimage1: file=ram, address=0x100000
megs: $mem
cpu: model=$cpu, count=1, ips=50000000, reset_on_triple_fault=1
clock: sync=none, time0=1700000000
com1: enabled=1, mode=file, dev=console
parport1: enabled=1, file=output
parport2: enabled=1, file=status
log: log
panic: action=fatal
error: action=ignore
info: action=ignore
END
touch console output status log
echo c > start # Debian builds Bochs with its debugger: "continue"
# SIGKILL: the term display (the one that needs neither a screen nor a port) catches SIGTERM.
rc=0
TERM=linux timeout -s KILL "$limit" bochs-bin -q -f bochsrc -rc start < /dev/null > bochs.out 2>&1 || rc=$?
cat output
[ -s status ] && exit "$(cat status)"
if [ $rc = 137 ]; then why="time limit of $limit s"; else why='emulator or kernel failure'; fi
{
  echo "emulator: $why; end of the guest's console and of Bochs's log:"
  tail -n 15 console log
} >&2
exit 125

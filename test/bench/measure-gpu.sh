#!/usr/bin/env bash
# On a machine with an NVIDIA driver, Node and nothing else: puts the parts beside it together and measures for ten minutes in
# all, unpacking counted. `bash measure-gpu.sh [--seconds 600] [options of bench -- gpu]`; the last line is the JSON. Ends with 3 while parts are still to come.
set -euo pipefail
cd "$(dirname "$0")"

seconds=600
if [ "${1:-}" = --seconds ]; then
  seconds=$2
  shift 2
fi

missing=$(awk '{ print $2 }' parts.sha256 | while read -r part; do [ -f "$part" ] || echo "$part"; done)
if [ -n "$missing" ]; then
  echo "parts are still to come:" $missing >&2
  exit 3
fi
if [ ! -f tree/whole ]; then
  sha256sum --check --quiet parts.sha256
  rm -rf tree
  mkdir tree
  cat part-* | tar -xz -C tree
  touch tree/whole
fi

cd tree
export LD_LIBRARY_PATH="$PWD/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
left=$((seconds - SECONDS - 10))
exec node test/bench/main.mjs gpu --seconds "$left" "$@"

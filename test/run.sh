#!/usr/bin/env bash
# `npm test`: builds, finds (or on Debian installs) the real servers the tests talk to, runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/usr/local/sbin"

# name of the program : Debian package
needed=(nats-server:nats-server promtool:prometheus prometheus:prometheus chromium:chromium)
missing=()
for pair in "${needed[@]}"; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done
# Optional: without it the tests of OpenSlide are skipped.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && ! ldconfig -p | grep -q libopenslide; then
  missing+=(libopenslide0)
fi
if [ "${#missing[@]}" -gt 0 ]; then
  packages=$(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')
  install="apt-get install -y --no-install-recommends $packages"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "The tests talk to real servers; installing Debian's $packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
  else
    echo "The tests talk to real servers that are not here: $packages" >&2
    echo "Install them, then run npm test again:" >&2
    echo "  sudo apt-get update && sudo $install" >&2
    exit 1
  fi
fi

npm run -s build
# Tests and what they start write their temporary files here: what is left of them is seen, and gone, also after Ctrl-C.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/stromaflow-tests-XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
node node_modules/vitest/vitest.mjs run -c test/vitest.config.ts "$@"
left=$(ls -A "$TMPDIR")
if [ -n "$left" ]; then
  echo "The tests passed, but left temporary files (test/support/temporary.ts removes them):" >&2
  echo "$left" >&2
  # Not where a killed browser or npm on a busy machine would undo a whole run.
  [ -z "${THOROUGH:-}" ] || exit 1
fi

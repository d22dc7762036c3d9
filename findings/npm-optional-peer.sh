#!/usr/bin/env bash
# npm 11 in a project that names a package as an optional peer and has been installed once: `npm install <that package>`.
# Guess: it is installed, as npm 10 does. npm says "up to date", ends with 0, and installs nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit --prefix tools npm-10@npm:npm@10.8.2 npm-11@npm:npm@11.19.1
try() { # version, further options
  rm -rf project
  mkdir project
  cd project
  cat >package.json <<'JSON'
{ "name": "project", "version": "1.0.0",
  "peerDependencies": { "is-number": "7.0.0" }, "peerDependenciesMeta": { "is-number": { "optional": true } } }
JSON
  local npm="$folder/tools/node_modules/npm-$1/bin/npm-cli.js" options=${*:2}
  node "$npm" install --silent --no-fund --no-audit
  local said
  # shellcheck disable=SC2086
  said=$(node "$npm" install --no-fund --no-audit $options is-number@7.0.0 2>&1 | grep -v -e '^$' -e '^npm warn' | sed 's/ in .*//')
  local there=no
  [ -e node_modules/is-number/package.json ] && there=yes
  echo "npm $(node "$npm" --version), install $options is-number@7.0.0: '$said', installed: $there"
  cd ..
  [ "$there" = yes ]
}
try 10 --save || { echo 'this has changed'; exit 1; }
! try 11 --save || { echo 'this has changed'; exit 1; }
! try 11 --no-save || { echo 'this has changed'; exit 1; }
try 11 --no-save --save-dev || { echo 'this has changed'; exit 1; }
echo 'A package that is an optional peer of the project itself is installed by npm 11 only as a dependency of another kind (--save-dev).'

#!/usr/bin/env bash
# Proves the README on this machine: clones the committed tree into an empty folder and runs its two set-up commands as they stand there.
set -euo pipefail
here=$(git rev-parse --show-toplevel)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git clone --quiet --no-hardlinks "$here" "$place/longwatch"
cd "$place/longwatch"
mapfile -t commands < <(sed -n '/<!-- set-up -->/,/<!-- \/set-up -->/p' README.md | grep -E '^npm ')
[ ${#commands[@]} = 2 ] || { echo "README.md must hold exactly two set-up commands, found ${#commands[@]}." >&2; exit 1; }
for command in "${commands[@]}"; do
  echo "== $command"
  started=$SECONDS
  bash -euo pipefail -c "$command"
  echo "== took $((SECONDS - started)) s"
done

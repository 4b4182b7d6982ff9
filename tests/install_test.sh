#!/bin/sh
# Installs the library, and builds and runs examples/consumer against what was installed, as a user's project would.
set -eu
build=$1
source=$2
flags=$3  # those of the library: one built with a sanitizer needs it in the program too
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >/dev/null
cmake -S "$source/examples/consumer" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_FLAGS="$flags" >/dev/null
cmake --build "$work/build" >/dev/null
cd "$work"
"$work/build/consumer" >output
grep -q '^the model writes: ' output
test -x "$work/prefix/bin/longhand"

#!/bin/sh
# tools/check_floors.py must pass the project and a tree whose includes go down, and fail on one up, one sideways and a
# circle.
set -eu
command -v python3 >/dev/null || { echo "skipped: check_floors.py needs python3, which this machine lacks"; exit 77; }
check=$1/tools/check_floors.py
python3 "$check"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/longhand/base" "$work/longhand/nn" "$work/longhand/data" "$work/longhand/io" "$work/cli"

fresh() {
  rm -f "$work"/longhand/*/*.h
  echo '#include "longhand/base/a.h"' >"$work/longhand/nn/n.h"
  echo '#include <vector>' >"$work/longhand/base/a.h"
}
expect_failure() {
  if message=$(python3 "$check" "$work" 2>&1); then echo "passed, but should fail: $1" >&2; exit 1; fi
  case $message in *"$1"*) ;; *) echo "expected '$1' in: $message" >&2; exit 1 ;; esac
}

fresh
python3 "$check" "$work"
fresh; echo '#include "longhand/nn/n.h"' >"$work/longhand/base/a.h"; expect_failure "goes up from base to nn"
fresh; echo '#include "longhand/io/i.h"' >"$work/longhand/data/d.h"; expect_failure "goes sideways from data to io"
fresh; echo '#include "longhand/base/b.h"' >"$work/longhand/base/a.h"
echo '#include "longhand/base/a.h"' >"$work/longhand/base/b.h"; expect_failure "circle"
fresh; echo '#include "n.h"' >"$work/longhand/nn/m.h"; expect_failure "include project files as"

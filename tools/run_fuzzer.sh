#!/bin/sh
# Runs a fuzz target for some seconds: run_fuzzer.sh SECONDS TARGET. Prints its last lines; where it fails, more of them.
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
artifacts=$(pwd)/build/fuzz/$(basename "$2")-
if "$2" -max_total_time="$1" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -artifact_prefix="$artifacts" >"$log" 2>&1; then
  echo "$(basename "$2"): $(tail -1 "$log")"
else
  tail -50 "$log"
  echo "$(basename "$2") FAILED; the input is $artifacts*" >&2
  exit 1
fi

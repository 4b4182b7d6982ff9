#!/bin/sh
# bench/hosts.sh: ranks are on hosts of their own, and their messages take the time that the network was asked for; a
# training there gives the same bits as one process; exit codes come through; a time limit ends all that was started.
#
# hosts_test.sh BUILD SOURCE
set -eu
build=$1
hosts="$2/bench/hosts.sh --build $build"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$1" >&2; exit 1; }

# 200 Mbit/s are 25 MB/s, so that 1 MiB takes 42 ms. A machine that is busy with other tests may be much
# slower, but never faster.
code=0
$hosts --mbit 200 --ms 5 --limit 60 --report "$work/report" "$build/bench/longhand_message" 1048576 >"$work/message" 2>"$work/errors" || code=$?
if [ "$code" -eq 77 ]; then
  cat "$work/errors"
  exit 0
fi
[ "$code" -eq 0 ] || { cat "$work/errors" "$work/message" >&2; fail "hosts.sh: exit code $code"; }
grep -q '"hosts": \["host-1", "host-2"\]' "$work/message" || fail "the ranks are not on two hosts: $(cat "$work/message")"
value() { sed -n "s/.*\"$1\": \[*\([0-9.e+-]*\).*/\1/p" "$2" | tail -n 1; }
within() { awk "BEGIN { exit !($1 >= $2 && $1 <= $3) }" || fail "$4 is $1; expected $2 to $3"; }
within "$(value latency_s "$work/message")" 0.0045 0.2 "the latency in seconds"
within "$(value seconds "$work/message")" 0.042 2 "the time in seconds of a megabyte in both directions"
# All of it went over the network, rather than through memory.
within "$(value bytes_sent "$work/report")" 7e6 1e9 "the number of bytes that host-1 sent"

longhand=$build/bin/longhand
train() { "$@" train lm --data tale --hidden 24 --batch 8 --shards 2 --epochs 1 --threads 1 --no-baseline --out "$work/$name" >"$work/log" 2>&1; }
if "$longhand" info | grep -q '^MPI *none'; then
  echo "no training: longhand was built without MPI"
else
  name=alone train "$longhand" || { cat "$work/log" >&2; fail "training in one process"; }
  # shellcheck disable=SC2086  # the options are words
  name=hosts train $hosts --limit 60 --report "$work/report" "$longhand" || { cat "$work/log" >&2; fail "training on two hosts"; }
  cmp "$work/alone/model.safetensors" "$work/hosts/model.safetensors" || fail "two hosts give other bits than one process"
  grep -q '^processes  2: ' "$work/log" || fail "expected a line about the exchange: $(cat "$work/log")"
  within "$(value bytes_sent "$work/report")" 3e5 1e9 "the number of bytes that host-1 sent in training"
fi

code=0
"$build/bench/longhand_link" sh -c 'exit 3' || code=$?
[ "$code" -eq 3 ] || fail "exit code $code instead of the command's, 3"

code=0
$hosts --limit 1 sleep "3600.$$" >"$work/limit" 2>&1 || code=$?
[ "$code" -eq 124 ] || { cat "$work/limit" >&2; fail "exit code $code after the time limit instead of 124"; }
if grep -ls "sleep.3600[.]$$" /proc/[0-9]*/cmdline; then fail "these processes are left"; fi

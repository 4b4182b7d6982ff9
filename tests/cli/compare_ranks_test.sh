#!/bin/sh
# A comparison whose runs mpirun has spread over ranks: the results of one process, after a death, too; and errors, which
# are printed once.
#
# compare_ranks_test.sh LONGHAND
set -eu
longhand=$1
. "$(cd "$(dirname "$0")" && pwd)/mpirun.sh"
checkpoint_in() { ls -d "$1"/runs/*/checkpoint.safetensors >/dev/null 2>&1; }
# Without the columns of speed, time and memory.
figures() { cut -d, -f1-9 "$1/compare.csv"; }
same() {
  figures "$1" >first
  figures "$2" >second
  cmp -s first second || { diff first second || true; fail "$1 and $2 differ"; }
}

set_of_runs="compare cells --data tale --max-tokens 3000 --hidden 12 --epochs 3 --batch 8 --seeds 2"
# shellcheck disable=SC2086  # the options are words
{
  "$longhand" $set_of_runs --out one >log 2>&1 || fail "one process"
  mpirun -n 2 "$longhand" $set_of_runs --out two >log 2>&1 || fail "2 ranks"
  grep -q '^2 runs at a time (1 on each of 2 ranks), each with 1 thread' log || fail "expected a line about the ranks"
  same one two
  mpirun -n 3 "$longhand" $set_of_runs --jobs 2 --out three >log 2>&1 || fail "3 ranks with 2 jobs"
  same one three
  mpirun -n 2 "$longhand" $set_of_runs --out one >log 2>&1 || fail "runs that are done"
  [ "$(grep -c '(reused)' log)" = 6 ] || fail "expected 6 runs that are done to be used again"
}

# Halving, on ranks and alone.
printf 'lr = {min = 1e-3, max = 1e-1, scale = "log"}\nhidden = [8, 12, 16]\n' >space.toml
search="compare --grid space.toml --search halving --trials 6 --halving-factor 2 --epochs 4 --data tale --max-tokens 3000 --batch 8"
# shellcheck disable=SC2086
{
  "$longhand" $search --out halved-1 >log 2>&1 || fail "halving"
  mpirun -n 2 "$longhand" $search --out halved-2 >log 2>&1 || fail "halving on 2 ranks"
  same halved-1 halved-2
}

# A run that is killed is tried again; it is a child of a rank.
long="compare cells --data tale --max-tokens 3000 --hidden 12 --epochs 80 --batch 8 --seeds 1 --checkpoint-seconds 0"
# shellcheck disable=SC2086
{
  "$longhand" $long --out whole >log 2>&1 || fail "whole"
  setsid mpirun -n 2 "$longhand" $long --out killed >log 2>&1 &
}
mpirun=$!
wait_until 30 checkpoint_in killed || fail "no run has begun"
killed=no
for rank in $(pgrep -P "$mpirun" || true); do
  child=$(pgrep -P "$rank" | head -n 1)
  if [ -n "$child" ] && kill -9 "$child"; then killed=yes; fi
  [ $killed = no ] || break
done
[ $killed = yes ] || fail "no run to kill was found"
wait $mpirun || fail "a killed run"
grep -q 'ended by signal 9; it is tried once more' log || fail "expected the killed run to be tried again"
same whole killed

# A rank that dies ends all, and the same command goes on.
# shellcheck disable=SC2086
setsid mpirun -n 2 "$longhand" $long --epochs 200 --out dead >log 2>&1 &
mpirun=$!
wait_until 30 checkpoint_in dead || fail "no run has begun"
kill -9 "$(pgrep -P "$mpirun" | tail -n 1)"
code=0
wait $mpirun || code=$?
[ $code -ne 0 ] || fail "expected an exit code for a dead rank"
tries=0
while [ -n "$(pgrep -f "$longhand compare cells .* --out dead" || true)" ]; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || fail "processes are left 10 seconds after a rank has died"
  sleep 0.1
done
# shellcheck disable=SC2086
{
  mpirun -n 2 "$longhand" $long --epochs 200 --out dead >log 2>&1 || fail "after a dead rank"
  "$longhand" $long --epochs 200 --out alive >log 2>&1 || fail "alive"
}
same alive dead

# Errors: once, with the exit code.
expect_error "longhand compare: unknown set depth" 2 -n 2 "$longhand" compare depth
expect_error "nothing: expected a file" 1 -n 2 "$longhand" compare depths --data nothing
mkdir -p other
expect_error "rank 1 (" 1 -n 1 "$longhand" compare depths --data tale --out here : \
  -n 1 -wdir "$folder/other" "$longhand" compare depths --data tale --out here
grep -q 'here: expected the folder that rank 0 (.*) sees, found none' log || fail "expected the folder to be named"
expect_error "rank 1 (" 1 -n 1 "$longhand" compare depths --data tale --out here : \
  -n 1 "$longhand" compare depths --data quatrains --out here

#!/bin/sh
# Trainings that mpirun has started: the same bits on 1, 2 and 4 processes; a run that goes on with another number of
# them; errors, which are printed once; and processes that are killed, after which nothing is lost and nothing stays.
#
# ranks_test.sh LONGHAND [KILLS]
set -eu
longhand=$1
kills=${2:-3}
. "$(cd "$(dirname "$0")" && pwd)/mpirun.sh"
same() { cmp -s "$1/model.safetensors" "$2/model.safetensors" || fail "$1 and $2 have other bits"; }

no_ranks() { [ -z "$(pgrep -s "$mpirun" | grep -vx "$mpirun")" ]; }

# Tagged words and a table of numbers.
awk 'BEGIN { srand(3); for (s = 0; s < 60; ++s) { n = 2 + int(rand() * 9); for (w = 0; w < n; ++w) {
  name = rand() < 0.2; print (name ? "N" : "w") int(rand() * 40), name ? "B-X" : "O" } print "" } }' >words.conll
awk 'BEGIN { print "t,x"; for (t = 0; t < 400; ++t) print t "," sin(t / 7) + sin(t / 3) / 2 }' >numbers.csv

# One process with the same shards, then 2 and 4: name, task, options.
check() {
  name=$1 task=$2
  shift 2
  "$longhand" train "$task" --shards 8 --out "$name-1" --quiet --no-baseline "$@" >log 2>&1 || fail "$name on 1 process"
  for n in 2 4; do
    mpirun -n $n "$longhand" train "$task" --threads 1 --out "$name-$n" --quiet --no-baseline "$@" >log 2>&1 ||
      fail "$name on $n processes"
    same "$name-1" "$name-$n"
  done
}
check state lm --data tale --hidden 24 --epochs 2 --batch 16 --dropout 0.1
check lines lm --data quatrains --lines --hidden 24 --epochs 2 --batch 16
check crf tagger --data words.conll --crf --hidden 8 --epochs 3 --batch 8
check numbers regressor --data numbers.csv --hidden 8 --epochs 2 --residual-of linear
grep -q '^processes  4: ' log || fail "expected a line about the exchange"
grep -q '^shards = 8$' state-2/config.toml || fail "expected 8 shards in config.toml"

# One rank has the text in a prepared file, and the other in memory.
mkdir there
"$longhand" data prepare tale --out text --quiet >log 2>&1 || fail "prepare"
"$longhand" data show tale >there/text 2>log || fail "get"
mpirun -n 1 "$longhand" train lm --data text --hidden 24 --epochs 1 --batch 16 --threads 1 --quiet --no-baseline \
  --out "$folder/mixed" : -n 1 -wdir "$folder/there" "$longhand" train lm --data text --hidden 24 --epochs 1 \
  --batch 16 --threads 1 --quiet --no-baseline --out "$folder/mixed" >log 2>&1 || fail "a prepared text and a plain one"
sed 1d there/text >there/other
expect_error "rank 1 (" 1 -n 1 "$longhand" train lm --data text --epochs 1 --out none : \
  -n 1 -wdir "$folder/there" sh -c 'mv other text && exec "$0" train lm --data text --epochs 1 --out none' "$longhand"

# Errors: once, with the exit code, before anything is written.
expect_error "nothing: expected a file" 1 -n 3 "$longhand" train lm --data nothing --out none
expect_error "longhand train lm: unknown option --hiden" 2 -n 3 "$longhand" train lm --data tale --hiden 8 --out none
expect_error "--shards: expected at least 3" 2 -n 3 "$longhand" train lm --data tale --shards 2 --out none
expect_error "longhand eval: expected one process, found 2" 2 -n 2 "$longhand" eval state-1 --data tale
expect_error "rank 1 (" 1 -n 1 "$longhand" train lm --data tale --out none : \
  -n 1 "$longhand" train lm --data nothing --out none
expect_error "rank 1 (" 1 -n 1 "$longhand" train lm --data tale --out none : \
  -n 1 "$longhand" train lm --data quatrains --out none
expect_error "rank 1 (" 1 -n 1 "$longhand" train lm --data tale --lr 0.01 --out none : \
  -n 1 "$longhand" train lm --data tale --lr 0.02 --out none
expect_error "step " 1 -n 2 "$longhand" train lm --data tale --hidden 8 --optimizer sgd --lr 3e38 --clip-norm 0 \
  --out diverged
[ ! -e none ] || [ ! -e none/checkpoint.safetensors ] || fail "a run was written in spite of an error"

# A run that is stopped on 2 processes and goes on alone, and one whose processes are killed at any moment.
options="--data tale --hidden 32 --epochs 24 --batch 16 --checkpoint-seconds 0.2 --quiet --no-baseline"
# shellcheck disable=SC2086  # the options are words
"$longhand" train lm $options --shards 8 --out whole >log 2>&1 || fail "whole"
# shellcheck disable=SC2086
mpirun -n 2 "$longhand" train lm $options --threads 1 --out stopped >log 2>&1 &
mpirun=$!
wait_until 30 [ -e stopped/checkpoint.safetensors ] || fail "no training has begun"
kill -INT $mpirun
wait $mpirun || true
"$longhand" train lm --resume stopped --quiet --no-baseline >log 2>&1 || fail "resume"
same whole stopped

done=0 complete=0 i=0  # kills, trainings that were complete before, and both
while [ $done -lt "$kills" ]; do
  i=$((i + 1))
  [ $i -le $((4 * kills + 4)) ] || fail "only $done of $i processes could be killed"
  how="--resume killed --quiet --no-baseline --checkpoint-seconds 0.2"
  [ -e killed/checkpoint.safetensors ] || how="$options --shards 8 --out killed"
  # Not while they start: Open MPI 4.1's mpirun may wait for ever for a rank that dies before it has reported to it.
  touch begin
  # shellcheck disable=SC2086
  setsid mpirun -n $((2 + i % 2)) "$longhand" train lm $how --threads 1 >log 2>&1 &
  mpirun=$!
  wait_until 30 [ killed/checkpoint.safetensors -nt begin ] || fail "no training has begun"
  sleep "$(awk -v i="$i" 'BEGIN { srand(i * 7919 + 1); print 0.8 * rand() }')"
  # A rank, or now and then the launcher.
  victim=$(pgrep -s "$mpirun" -f " train lm " | awk -v i="$i" -v launcher="$mpirun" 'BEGIN { srand(i * 104729) }
    $1 != launcher { p[n++] = $1 } END { print i % 10 == 8 ? launcher : p[int(rand() * n)] }')
  [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || victim=
  [ -z "$victim" ] || wait_until 10 no_ranks || fail "processes are left 10 seconds after kill $((done + 1))"
  code=0
  wait $mpirun || code=$?
  ! grep '^error: ' log || fail "the checkpoint is lost"
  if [ $code -eq 0 ]; then  # it was complete before: once more from the beginning
    same whole killed
    complete=$((complete + 1))
    rm -r killed
  else
    done=$((done + 1))
  fi
done
if [ -e killed/checkpoint.safetensors ]; then
  "$longhand" train lm --resume killed --quiet --no-baseline >log 2>&1 || fail "resume after kills"
  same whole killed
fi
echo "$kills kills, $((complete + 1)) trainings completed"

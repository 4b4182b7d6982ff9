#!/bin/sh
# Steps of training on emulated hosts beside what the cost model of docs/scaling.md says of them:
#   bench/scaling_points.sh [HOSTS [MBIT [MS [BUILD]]]]
# One thread on each host; the processors must have nothing else to do, and be as many as the hosts. Each line: the model,
# rows of the batch on each host, milliseconds of a step as predicted and as measured, their ratio, and the measured time in
# which ranks waited for messages.
set -eu
hosts=${1:-2} mbit=${2:-1000} ms=${3:-1} here=$(cd "$(dirname "$0")" && pwd)
build=${4:-$here/../build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Random text: every one of so many symbols first, so that the vocabulary has them all.
awk 'BEGIN { srand(1); for (i = 0; i < 600000; ++i) printf "%c", 48 + (i < 60 ? i : int(60 * rand())) }' >"$work/characters"
awk 'BEGIN { srand(1); for (i = 0; i < 400000; ++i) printf "w%d%s", i < 10000 ? i : 10000 * rand(), i % 20 ? " " : "\n" }' \
  >"$work/words"

emulate() { "$here/hosts.sh" --build "$build" --hosts "$hosts" --mbit "$mbit" --ms "$ms" "$@"; }
value() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" "$work/result"; }

# NAME LEVEL EMBED HIDDEN LAYERS STEPS ROWS
point() {
  batch=$(($7 * hosts))
  tokens=$((batch * $6 * 12))
  symbols=60
  [ "$2" = char ] || symbols=10000
  # All hosts compute at once, since they share this machine's memory; the slowest counts.
  predicted=$(emulate "$build/bench/longhand_scaling" --parts --models characters-512 --symbols $symbols \
    --outputs $symbols --embed "$3" --hidden "$4" --layers "$5" --steps "$6" --rows "$7" --hosts "$hosts" \
    --mbit "$mbit" --ms "$ms" --threads 1 | sed -n 's/^characters.* //p' | sort -n | tail -n 1)
  data=$work/characters
  [ "$2" = char ] || data=$work/words
  emulate "$build/bin/longhand" train lm --data "$data" \
    --level "$2" --max-tokens $tokens --valid-fraction 0.01 --no-baseline --epochs 1 --checkpoint-seconds 10000 --quiet --json \
    --embed "$3" --hidden "$4" --layers "$5" --bptt "$6" --batch $batch --shards "$hosts" --threads 1 \
    --out "$work/run" --overwrite >"$work/result"
  awk -v name="$1" -v rows="$7" -v predicted="$predicted" -v step="$(value seconds_per_step)" \
    -v waited="$(value waited_seconds_per_step)" 'BEGIN {
      printf "| %s | %d | %.0f | %.0f | %.2f | %.0f |\n", name, rows, predicted, 1e3 * step, 1e3 * step / predicted,
        1e3 * waited }'
}

echo "| model | rows | predicted, ms | measured, ms | ratio | waited, ms |"
echo "|---|---|---|---|---|---|"
for rows in 16 64; do
  point "characters, 256 units" char 64 256 1 64 $rows
  point "characters, 512 units" char 64 512 1 64 $rows
  point "characters, 1,024 units" char 64 1024 1 64 $rows
  point "10,000 words, 2 layers of 200" word 200 200 2 20 $rows
  point "10,000 words, 2 layers of 650" word 650 650 2 35 $rows
done

#!/bin/sh
# Language models of one layer, two layers and both directions on the same text, with the same number of epochs and three
# seeds each: prints the table of docs/depths.md (Markdown).
#   examples/depths.sh TEXT EPOCHS [options of train lm]
set -eu
[ $# -ge 2 ] || { echo "usage: examples/depths.sh TEXT EPOCHS [options of longhand train lm]" >&2; exit 2; }
longhand=${LONGHAND:-longhand}
text=$1 epochs=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p"; }

# The median of the numbers on standard input, and their range, in a printf format.
spread() {
  sort -g | awk -v f="$1" '{ v[NR] = $1 } END { printf f " (" f " to " f ")", v[int((NR + 1) / 2)], v[1], v[NR] }'
}

echo "| model | parameters | training perplexity | held-out perplexity | tokens/s |"
echo "|---|---|---|---|---|"
while IFS='|' read -r name options; do
  for seed in 0 1 2; do
    echo "$name, seed $seed" >&2
    # shellcheck disable=SC2086  # options are several words
    "$longhand" train lm --data "$text" --epochs "$epochs" --seed $seed $options "$@" --out "$work/run" --overwrite \
                --quiet --json >>"$work/results"
  done
  parameters=$("$longhand" info "$work/run" --json | field parameters)
  echo "| $name | $parameters | $(field train_perplexity <"$work/results" | spread %.2f) |" \
       "$(field valid_perplexity <"$work/results" | spread %.2f) |" \
       "$(field tokens_per_second <"$work/results" | spread %.0f) |"
  rm "$work/results"
done <<END
one layer|
one layer, dropout 0.3|--dropout 0.3
two layers|--layers 2
two layers, dropout 0.3|--layers 2 --dropout 0.3
one layer, both directions|--bidirectional
END

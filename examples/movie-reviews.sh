#!/bin/sh
# Ten-fold cross-validation on film reviews: trains on nine tenths, measures on the tenth, ten times, and prints the
# accuracies and their mean. Every tenth line is in the same tenth.
#   examples/movie-reviews.sh [FOLDER]        (longhand on the path, and `longhand data get movie-reviews` done)
set -eu
config=$(dirname "$0")/movie-reviews.toml
folder=${1:-movie-reviews}
mkdir -p "$folder"
for class in pos neg; do
  longhand data show movie-reviews:$class | awk -v class=$class '{ print "__label__" class, $0 }'
done > "$folder/all.txt"
for fold in 0 1 2 3 4 5 6 7 8 9; do
  awk -v fold=$fold 'NR % 10 == fold' "$folder/all.txt" > "$folder/test.txt"
  awk -v fold=$fold 'NR % 10 != fold' "$folder/all.txt" > "$folder/train.txt"
  longhand train classifier --config "$config" --data "$folder/train.txt" --test "$folder/test.txt" \
    --out "$folder/fold-$fold" --overwrite --json --quiet
done | sed 's/.*"test_accuracy":\([0-9.]*\).*/\1/' | awk '
  { printf "fold %d  %.2f\n", NR - 1, $1; sum += $1 }
  END { if (NR == 10) printf "mean    %.2f\n", sum / NR; else exit 1 }'

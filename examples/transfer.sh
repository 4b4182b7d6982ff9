#!/bin/sh
# A classifier of film reviews that starts from two language models of the reviews' own words, one in each direction, and
# of a treebank's. Every tenth review is test data, which none of the models sees.
#   examples/transfer.sh [FOLDER]     (longhand on the path; `longhand data get` movie-reviews and ud-english-ewt done)
set -eu
folder=${1:-transfer}
mkdir -p "$folder"
for class in pos neg; do
  longhand data show movie-reviews:$class | awk -v class=$class '{ print "__label__" class, $0 }'
done > "$folder/all.txt"
awk 'NR % 10 == 0' "$folder/all.txt" > "$folder/test.txt"
awk 'NR % 10 != 0' "$folder/all.txt" > "$folder/train.txt"
longhand data words classifier "$folder/train.txt" > "$folder/words.txt"
longhand data words tagger ud-english-ewt >> "$folder/words.txt"
for direction in false true; do
  longhand train lm --data "$folder/words.txt" --level word --lines --lowercase --min-count 2 --embed 128 --hidden 128 \
    --tie-weights --dropout 0.3 --batch 40 --bptt 70 --lr 0.004 --schedule cosine --epochs 3 --valid-fraction 0.03 \
    --reverse=$direction --out "$folder/lm-reverse-$direction" --overwrite
done
longhand train classifier --data "$folder/train.txt" --test "$folder/test.txt" --valid-fraction 0 \
  --from "$folder/lm-reverse-false" --from-reverse "$folder/lm-reverse-true" --unknown-rate 1.0 --pool concat \
  --schedule slanted-triangular --lr 0.002 --epochs 10 --sparse-embedding --out "$folder/classifier" --overwrite

#!/bin/sh
# Three classifiers of reviews with different seeds, and one model made of them, measured on a test file.
#   examples/reviews.sh TRAIN TEST [FOLDER]        (longhand on the path)
set -eu
train=$1
test=$2
folder=${3:-reviews}
mkdir -p "$folder"
for seed in 0 1 2; do
  longhand train classifier --config "$(dirname "$0")/movie-reviews.toml" --data "$train" --test "$test" \
    --seed $seed --out "$folder/seed-$seed" --overwrite --quiet
done >&2
longhand combine "$folder/seed-0" "$folder/seed-1" "$folder/seed-2" --out "$folder/reviews.safetensors" --data "$test"

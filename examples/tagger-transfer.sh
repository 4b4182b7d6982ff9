#!/bin/sh
# Taggers that start from language models: parts of speech (UD English EWT) from two language models of words, one in each
# direction, and names (WNUT 2017) from that tagger. The language models read the words of four training sets, and no test
# data. Three seeds of each tagger, and one model made of the three.
#   examples/tagger-transfer.sh [FOLDER]
# (longhand on the path; `longhand data get` ud-english-ewt, wnut17, trec and movie-reviews done)
set -eu
recipes=$(dirname "$0")
folder=${1:-tagger-transfer}
mkdir -p "$folder"
for class in pos neg; do
  longhand data show movie-reviews:$class | awk -v class=$class '{ print "__label__" class, $0 }'
done > "$folder/reviews.txt"
{
  longhand data words classifier "$folder/reviews.txt"
  longhand data words classifier trec
  longhand data words tagger wnut17
  longhand data words tagger ud-english-ewt
} > "$folder/sources.txt"
yes | head -c 4000000 > "$folder/random"  # any bytes will do: they make the order the same every time
shuf --random-source="$folder/random" "$folder/sources.txt" > "$folder/words.txt"

for direction in false true; do
  longhand train lm --data "$folder/words.txt" --level word --lines --lowercase --min-count 2 --embed 200 --hidden 200 \
    --tie-weights --dropout 0.4 --batch 40 --lr 0.004 --schedule cosine --epochs 8 --valid-fraction 0.02 \
    --reverse=$direction --out "$folder/lm-reverse-$direction" --overwrite
done

for seed in 0 1 2; do
  longhand train tagger --config "$recipes/upos.toml" --data ud-english-ewt --valid ud-english-ewt:valid \
    --test ud-english-ewt:test --from "$folder/lm-reverse-false" --from-reverse "$folder/lm-reverse-true" \
    --seed $seed --out "$folder/upos-$seed" --overwrite
  longhand train tagger --config "$recipes/wnut17.toml" --data wnut17 --valid wnut17:valid --test wnut17:test --crf \
    --from "$folder/upos-$seed" --seed $seed --out "$folder/names-$seed" --overwrite
done
longhand combine "$folder/upos-0" "$folder/upos-1" "$folder/upos-2" --out "$folder/upos.safetensors" \
  --data ud-english-ewt:test
longhand combine "$folder/names-0" "$folder/names-1" "$folder/names-2" --out "$folder/names.safetensors" \
  --data wnut17:test

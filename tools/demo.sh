#!/bin/sh
# Trains a character language model on the built-in story for about a minute and writes from it; then, if the minute has
# room, one on the built-in quatrains.
set -eu

longhand=$1
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
begun=$(date +%s)

echo "\$ longhand train lm --data tale --hidden 256 --batch 16 --epochs 40 --lr 0.003 --dropout 0.2 --out run"
"$longhand" train lm --data tale --hidden 256 --batch 16 --epochs 40 --lr 0.003 --dropout 0.2 --out "$runs/tale"
echo
echo "\$ longhand generate run --prompt 'Dorcas ' --temperature 0.6 --length 400"
"$longhand" generate "$runs/tale" --prompt 'Dorcas ' --temperature 0.6 --length 400

[ $(($(date +%s) - begun)) -lt 50 ] || exit 0
echo
echo "\$ longhand train lm --data quatrains --lines --hidden 256 --epochs 60 --lr 0.003 --dropout 0.3 --out poems"
"$longhand" train lm --data quatrains --lines --hidden 256 --epochs 60 --lr 0.003 --dropout 0.3 --out "$runs/poems"
echo
echo "\$ longhand generate poems --temperature 0.7 --length 120"
"$longhand" generate "$runs/poems" --temperature 0.7 --length 120

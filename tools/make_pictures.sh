#!/bin/sh
# Makes the pictures in docs/pictures from runs of the binary: make pictures. About two minutes on two cores.
set -eu

longhand=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
pictures=$(cd "$(dirname "$0")/.." && pwd)/docs/pictures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$pictures"
cd "$work"

"$longhand" lab gradients --pictures --quiet --out gradients
cp gradients/gradients-gradient-by-h-at-initialisation.svg "$pictures/gradients-initial.svg"
cp gradients/gradients-gradient-by-h-after-500-updates.svg "$pictures/gradients-trained.svg"
cp gradients/gradients-plain-tanh-at-initialisation-measured-predicted-allowed.svg "$pictures/predicted.svg"

"$longhand" lab memory --seeds 10 --pictures --quiet --out memory
cp memory/memory-accuracy-by-gap.svg "$pictures/memory.svg"

"$longhand" lab remedies --only explosion --pictures --quiet --out explosion
cp explosion/remedies-explosion-and-clipping-plain-relu-by-sgd-gradient-of-each-update.svg \
  "$pictures/explosion.svg"
"$longhand" lab remedies --only 'skip connections, 8 layers of LSTM' --pictures --quiet --out stack
cp stack/remedies-skip-connections-8-layers-of-lstm-forget-bias-1-training-loss.svg "$pictures/stack.svg"

"$longhand" train regressor --data sines --target value --horizon 10 --window 60 --epochs 8 --quiet --out series
"$longhand" eval series --data sines --report series.html --pictures
cp series-value-10-steps-ahead-the-last-100-forecasts.svg "$pictures/report.svg"

"$longhand" compare cells --hidden 64 --epochs 20 --seeds 3 --pictures --quiet --out cells
cp cells/compare-held-out-loss-nats-per-symbol-by-seconds-of-training.svg "$pictures/comparison.svg"

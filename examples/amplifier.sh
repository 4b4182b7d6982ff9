#!/bin/sh
# A guitar amplifier: makes sound before and after one, trains a network of 20 units, and measures it on other sound. Then the
# network is streamed: how much of one core it takes at 48 kHz.
#   examples/amplifier.sh [FOLDER]        (longhand on the path)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-amplifier}
mkdir -p "$folder"
longhand data make amplifier --seconds "${SECONDS_OF_SOUND:-120}" --seed 1 --out "$folder/guitar" >&2
longhand data make amplifier --seconds "${SECONDS_OF_TEST:-20}" --seed 2 --out "$folder/test" >&2
longhand train network --config "$here/amplifier.toml" --data "$folder/guitar-input.wav" \
  --target "$folder/guitar-target.wav" --test "$folder/test-input.wav" --test-target "$folder/test-target.wav" \
  --epochs "${EPOCHS:-18}" --out "$folder/run" --overwrite
longhand eval "$folder/run" --data "$folder/test-input.wav" --target "$folder/test-target.wav"
# One thread, blocks of 64 frames, as a plug-in would; `times` says what the processor spent, with reading and writing files.
(longhand run "$folder/run" --input "$folder/test-input.wav" --output "$folder/made.wav" --block 64 --threads 1 >&2; times) |
  tail -n 1 | tr 'ms' '  ' | awk -v seconds="${SECONDS_OF_TEST:-20}" '{
    spent = 60 * $1 + $2
    printf "streamed %g s of sound in %.2f s: %.1f %% of one core\n", seconds, spent, 100 * spent / seconds }'

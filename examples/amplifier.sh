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
# One thread, blocks of 64 frames, as a plug-in would.
begin=$(date +%s.%N)
longhand run "$folder/run" --input "$folder/test-input.wav" --output "$folder/made.wav" --block 64 --threads 1
end=$(date +%s.%N)
echo "$begin $end ${SECONDS_OF_TEST:-20}" | awk '{ printf "streamed %.0f s of sound in %.2f s: %.1f %% of one core\n", $3, $2 - $1, 100 * ($2 - $1) / $3 }'

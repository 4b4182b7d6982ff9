#!/bin/sh
# Installs the library, builds the programs in examples/ against what was installed, as users' projects would, and runs
# them.
set -eu
build=$1
source=$2
flags=$3  # those of the library: one built with a sanitizer needs it in the program too
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >/dev/null
# Each public header compiles alone, and longhand.h has all of them.
find "$work/prefix/include" -name '*.h' | while read -r header; do
  echo "#include \"$header\"" >"$work/header.cpp"
  c++ -std=c++20 -Wall -Wextra -pedantic -Werror -fsyntax-only -I "$work/prefix/include" "$work/header.cpp"
  name=${header#"$work/prefix/include/"}
  case $name in
    longhand/longhand.h | longhand/base/export.h | longhand/tasks/sampler_options.h) ;;
    *) grep -q "$name" "$work/prefix/include/longhand/longhand.h" || { echo "longhand.h lacks $name" >&2; exit 1; } ;;
  esac
done
for example in consumer audio sensor; do
  cmake --no-warn-unused-cli -S "$source/examples/$example" -B "$work/$example" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_C_FLAGS="$flags" >/dev/null
  cmake --build "$work/$example" >/dev/null
done
cd "$work"
longhand=$work/prefix/bin/longhand

consumer/consumer >output
grep -q '^the model writes: ' output

# A second of a sound, and a model of an effect on it. A WAV file's header is 44 bytes.
{ echo dry,wet; awk 'BEGIN { for (i = 0; i < 2000; ++i) { x = 0.5 * sin(i / 7); print x "," x * 0.5 } }'; } >effect.csv
"$longhand" train regressor --data effect.csv --inputs dry --target wet --horizon 0 --window 16 --hidden 8 --epochs 3 \
            --quiet --out effect >/dev/null 2>&1
{
  printf 'RIFF\244\076\000\000WAVEfmt \020\000\000\000\001\000\001\000\100\037\000\000\200\076\000\000\002\000\020\000data\200\076\000\000'
  awk 'BEGIN { for (i = 0; i < 8000; ++i) { v = int(16000 * sin(i / 7)); if (v < 0) v += 65536;
                                            printf "\\%03o\\%03o\n", v % 256, int(v / 256) } }' |
    while read -r bytes; do printf "$bytes"; done
} >in.wav
audio/audio effect in.wav out.wav >output
grep -q '^8000 samples, 1 s of sound' output
test "$(wc -c <in.wav)" = 16044 && test "$(wc -c <out.wav)" = 16044
! cmp -s in.wav out.wav
if audio/audio effect effect.csv out2.wav 2>error; then exit 1; fi
grep -q 'expected a WAV file' error && test ! -e out2.wav

# A network that takes loud sound for speech, on a pipe.
cat >loud.toml <<'END'
[[inputs]]
size = 256
[[layers]]
type = "abs"
[[layers]]
type = "reshape"
shape = [256, 1]
[[layers]]
type = "pool"
kind = "mean"
[[layers]]
type = "flatten"
[[layers]]
type = "clip"
max = 1
END
"$longhand" import --network loud.toml --seed 1 --out loud >/dev/null
cat in.wav | audio/detect_speech loud - --threshold 0.2 >output 2>error
printf '0.000\t1.000\n' | cmp - output
if audio/detect_speech loud in.wav --threshold 2 2>error; then exit 1; fi
[ ! -e audio/suppress_noise ] || audio/suppress_noise --help >output

# The state survives a restart: two halves give what the whole does.
awk 'BEGIN { for (i = 0; i < 20; ++i) print 0.5 * sin(i / 7) }' >readings
sensor/sensor effect <readings >whole
export SENSOR_STATE=state
head -12 readings | sensor/sensor effect >halves
tail -8 readings | sensor/sensor effect >>halves
cmp whole halves && test "$(wc -l <whole)" = 20
if echo '0.5 0.5' | sensor/sensor effect 2>error; then exit 1; fi
grep -q 'line 1: expected 1 numbers' error

#!/bin/sh
# Compares the time of a step in exported C, by compiler options, with longhand::Stream, in alternating rounds:
#   bench/export_c.sh build/release amp.lh [RATE]     RATE: steps per second, for the load of a core; default 48000
# Needs the targets longhand_cli and longhand_networks. Other compilers: CC=clang bench/export_c.sh ...
set -eu
build=$1 model=$2 rate=${3:-48000}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -f "$work"/*; rmdir "$work"' EXIT
cc=${CC:-cc}

for weights in float int8; do
  "$build/bin/longhand" export "$model" --to c --name "net_$weights" --weights "$weights" --out "$work/net_$weights.h" \
    > "$work/said"
  echo "$weights:"
  grep -v '^wrote' "$work/said" | sed 's/^/  /'
  number=0
  for options in "-O2" "-O3" "-O3 -march=native"; do
    number=$((number + 1))
    # shellcheck disable=SC2086  # options are words
    $cc -std=c99 $options -I"$work" -DNAME="net_$weights" -DHEADER="\"net_$weights.h\"" "$here/export_c.c" \
      -o "$work/$weights$number" -lm
    echo "$options" > "$work/$weights$number.options"
  done
done

stream() { printf '0.2 %s\n' "$model" | "$build/bench/longhand_networks"; }
for round in 1 2 3; do
  stream >> "$work/stream.times"
  for weights in float int8; do
    for number in 1 2 3; do "$work/$weights$number" >> "$work/$weights$number.times"; done
  done
done

show() { # NAME FILE: the shortest of the rounds
  sort -n "$work/$2.times" | head -n 1 | awk -v name="$1" -v rate="$rate" \
    '{ printf "%-34s %9.3f us a step, %6.2f %% of a core at %d steps a second\n", name, $1, $1 * rate / 1e4, rate }'
}
show "longhand::Stream" stream
for weights in float int8; do
  for number in 1 2 3; do show "$cc $(cat "$work/$weights$number.options"), $weights" "$weights$number"; done
done

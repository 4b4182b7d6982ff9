#!/bin/sh
# A river: makes twenty years of hourly weather and flow, trains a network on the first eighteen (the last eighth of which is
# held out, to choose the best epoch) and measures it on the last two, beside a linear reservoir: one whose constant and gain
# are those of the smallest squared error in the eighteen years.
#   examples/river.sh [FOLDER]        (longhand on the path)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-river}
years=${YEARS:-20}
mkdir -p "$folder"
longhand data make river --years "$years" --seed 1 --out "$folder/all.csv" >&2
# Half a year of warm-up stands before the two years that are measured.
awk -v n=$((8760 * (years - 2))) 'NR <= n + 1' "$folder/all.csv" > "$folder/train.csv"
awk -v n=$((8760 * (years - 2) - 4380)) 'NR == 1 || NR > n + 1' "$folder/all.csv" > "$folder/test.csv"
longhand train network --config "$here/river.toml" --data "$folder/train.csv" --test "$folder/test.csv" \
  --epochs "${EPOCHS:-80}" --out "$folder/run" --overwrite
# q_t = q_(t-1) + (gain rain_t - q_(t-1)) / k, from the beginning of the data on; for each k the best gain is a quotient.
awk -F, -v cut=$((8760 * (years - 2))) '
  NR == 1 { next }
  { rain[NR - 1] = $2; flow[NR - 1] = $4; n = NR - 1 }
  END {
    for (k = 5; k < 5000; k *= 1.1) {
      q = xy = xx = yy = 0
      for (t = 1; t <= cut; ++t) { q += (rain[t] - q) / k; xy += q * flow[t]; xx += q * q; yy += flow[t] * flow[t] }
      error = yy - xy * xy / xx
      if (best == 0 || error < best) { best = error; constant = k; gain = xy / xx }
    }
    q = 0
    for (t = 1; t <= n; ++t) {
      q += (rain[t] - q) / constant
      if (t > cut) { ++m; sum += flow[t]; e = gain * q - flow[t]; squared += e * e }
    }
    for (t = cut + 1; t <= n; ++t) spread += (flow[t] - sum / m) ^ 2
    printf "linear reservoir (%.0f hours, gain %.3f): Nash-Sutcliffe efficiency %.4f in the last two years\n", \
           constant, gain, 1 - squared / spread
  }' "$folder/all.csv"

#!/bin/sh
# Anomalies of a machine: a network learns to predict the next sample of a sensor from a machine that is in order. Its error,
# averaged over 50 samples, is the score; an alarm is a score above the highest of other healthy data. Prints how many
# anomalies had an alarm, and how many alarms there were outside of anomalies.
#   examples/vibration.sh [FOLDER]        (longhand on the path)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-vibration}
seconds=${SECONDS_OF_DATA:-120}
mkdir -p "$folder"
longhand data make vibration --seconds "$seconds" --seed 1 --out "$folder/healthy.csv" >&2
longhand data make vibration --seconds 60 --seed 2 --out "$folder/other.csv" >&2
longhand data make vibration --seconds 240 --seed 3 --anomalies 48 --out "$folder/test.csv" >&2
longhand train network --config "$here/vibration.toml" --data "$folder/healthy.csv" --epochs "${EPOCHS:-15}" \
  --out "$folder/run" --overwrite
# Line n of a prediction is that of sample n + 1.
scores() {
  cut -d, -f1 "$folder/$1.csv" > "$folder/$1-sensor.csv"
  longhand run "$folder/run" --input "$folder/$1-sensor.csv" --output "$folder/$1-next.csv" >&2
  tail -n +2 "$folder/$1.csv" | paste -d, - "$folder/$1-next.csv" | awk -F, '
    NR > 1 { e = ($1 - next_one) ^ 2; sum += e - kept[NR % 50]; kept[NR % 50] = e; if (NR > 500) print sum / 50, $2 }
    { next_one = $3 }'
}
limit=$(scores other | awk '$1 > most { most = $1 } END { print 1.2 * most }')
scores test | awk -v limit="$limit" '
  { if ($2 != 0 && before == 0) { ++anomalies; kind = $2; ++of[kind]; found = 0 }
    if ($2 != 0 && $1 > limit && !found) { found = 1; ++detected; ++hits[kind] }
    if ($2 != 0) left = 500; else if (left > 0) --left      # the states find back in half a second
    alarm = $2 == 0 && left == 0 && $1 > limit
    if (alarm && NR > last + 50) ++alarms
    if (alarm) last = NR
    before = $2 }
  END {
    printf "%d of %d anomalies found (", detected, anomalies
    split("bearing,imbalance,looseness,cable", names, ",")
    for (k = 1; k <= 4; ++k) printf "%s%s %d of %d", (k > 1 ? ", " : ""), names[k], hits[k], of[k]
    printf "), %d false alarms in %.0f s\n", alarms, NR / 1000
  }'

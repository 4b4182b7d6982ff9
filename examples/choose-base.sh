#!/bin/sh
# Chooses what --residual-of begins with, on the held-out rows of a table (the tenth before the test rows). For each base and
# seed, prints the held-out mean squared error, by how much the linear base's is above it, and that in standard errors.
#   examples/choose-base.sh CONFIG TABLE [FOLDER]     (longhand on the path; TABLE: CSV file, or name)
# The rule: linear, unless another base is better by more than one standard error with most seeds.
set -eu
config=$1
table=$2
folder=${3:-bases}
target=$(sed -n 's/^target = "\(.*\)".*/\1/p' "$config")
tests=$(sed -n 's/^test-fraction = \([0-9.]*\).*/\1/p' "$config")
season=$(sed -n 's/^season = \([0-9]*\).*/\1/p' "$config")
window=$(sed -n 's/^window = \([0-9]*\).*/\1/p' "$config")
bases="linear naive"
[ "$season" -gt "$window" ] || bases="$bases seasonal"  # which needs a whole season in the window
mkdir -p "$folder"
case $table in
  *.csv) cp "$table" "$folder/table.csv" ;;
  *) longhand data show "$table" > "$folder/table.csv" ;;
esac
for seed in 0 1 2; do
  for base in $bases; do
    longhand train regressor --config "$config" --data "$folder/table.csv" --residual-of $base --seed $seed \
      --no-baseline --out "$folder/$base-$seed" --overwrite --quiet > "$folder/$base-$seed.log"
    longhand predict "$folder/$base-$seed" --data "$folder/table.csv" --all > "$folder/$base-$seed.csv" 2> "$folder/notes"
    # Of the windows whose values are all held out: the mean over the steps ahead. Windows that share a predicted row are
    # not independent, so that only every horizon-th counts for the standard error.
    awk -F, -v target="$target" -v tests="$tests" -v base=$base -v seed=$seed -v linear="$folder/errors-$seed" '
      NR == FNR && FNR == 1 { for (i = 1; i <= NF; ++i) { name = $i; gsub(/[\r"]/, "", name); if (name == target) column = i } }
      NR == FNR && FNR > 1 { value[FNR - 1] = $column; rows = FNR - 1; next }
      FNR == 1 { first = rows - int(rows * tests) - int(rows * 0.1) + 1; last = rows - int(rows * tests); next }
      FNR > 1 && $1 + 1 >= first { error = $3 - value[$1 + $2]; sum[$1] += error * error; ++steps[$1]
                                   if ($2 > horizon) horizon = $2 }
      END {
        for (row = first - 1; row + horizon <= last; row += horizon) {
          mean = sum[row] / steps[row]; total += mean; ++n
          if (base == "linear") print row, mean > linear
          else { getline line < linear; split(line, kept, " "); d = kept[2] - mean; ds += d; dss += d * d }
        }
        printf "seed %d  %-8s  held out %.4g", seed, base, total / n
        if (base != "linear") {
          error = sqrt((dss - ds * ds / n) / (n - 1) / n)
          printf "  better by %.3g, %.2f standard errors", ds / n, ds / n / error
        }
        print ""
      }' "$folder/table.csv" "$folder/$base-$seed.csv"
  done
done

#!/bin/sh
# The interface in C gives what the commands give, the shared library exports nothing else, and no function of the
# interface changed: c_interface.txt has them all.
set -eu
longhand=$1
program=$2
library=$3
source=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

train() { "$longhand" train "$@" --quiet >/dev/null 2>&1; }
train lm --data tale --max-tokens 3000 --hidden 24 --epochs 2 --out lm
printf 'Anna B-PER\nsaw O\nBert B-PER\n\nLondon B-LOC\nis O\nfar O\n\n' >tags
train tagger --data tags --valid-fraction 0 --hidden 8 --epochs 3 --out tagger
printf 'weather\train today\nfood\tbread and soup\nweather\tsnow there\nfood\tsoup today\n' >texts.tsv
train classifier --data texts.tsv --valid-fraction 0 --hidden 8 --epochs 3 --out classifier
{ echo y; seq 1 60; } >numbers.csv
train regressor --data numbers.csv --target y --window 4 --hidden 8 --epochs 3 --out regressor

"$program" "$work" >found
{
  "$longhand" generate lm --prompt the --length 30 --greedy
  echo 'Anna saw London' | "$longhand" tag tagger
  echo 'rain today' | "$longhand" classify classifier --top 2 --format lines 2>/dev/null
  printf 'y\n1\n2\n3\n4\n' | "$longhand" predict regressor 2>/dev/null | tail -1 | cut -d, -f3 | xargs printf '%.3f\n'
} >expected
diff expected found

nm -D --defined-only "$library" | sed 's/.* //' | grep -v '^_' | sort >exported
sed -n 's/.*[ *]\(longhand_[a-z_]*\)(.*/\1/p' "$source/tests/c_interface.txt" | sort >listed
diff listed exported || { echo 'the library exports other functions than c_interface.txt lists' >&2; exit 1; }
if nm -DC --defined-only "$library" | grep '::Parts::'; then
  echo 'the library exports parts of its classes' >&2
  exit 1
fi
if nm -DC --defined-only "$library" | cut -d ' ' -f 3- |
    grep -v '^longhand_\|^longhand::\(name_of\|[A-Z]\)\|^\(typeinfo\|typeinfo name\|vtable\) for longhand::Error'; then
  echo 'the library exports what is not public' >&2
  exit 1
fi

# The declarations, each on one line.
tr '\n' ' ' <"$source/longhand/c.h" | sed 's/;/;\n/g' | sed -n 's/.*LONGHAND_API \(.*;\)/\1/p' | tr -s ' ' | sort >declared
sort "$source/tests/c_interface.txt" | diff - declared ||
  { echo 'a function of longhand/c.h changed or went; if it is new, add it to tests/c_interface.txt' >&2; exit 1; }

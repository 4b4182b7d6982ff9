#!/bin/sh
# What the documents say is true: the calls that ARCHITECTURE.md lists exist, the options page is the one that the binary
# prints, and every file that a document links to is there.
set -eu
longhand=$1
source=$2
cd "$source"
failed=0
fail() { echo "$1" >&2; failed=1; }

# "3. `longhand/train/trainer.cpp:Trainer::run`" must name a file that defines such a function.
calls=$(sed -n 's/^[0-9]\. `\([^`]*\)`.*/\1/p' ARCHITECTURE.md)
[ -n "$calls" ] || fail "ARCHITECTURE.md lists no calls"
[ "$(echo "$calls" | wc -l)" -le 7 ] || fail "ARCHITECTURE.md lists more than seven calls"
for call in $calls; do
  file=${call%%:*}
  function=${call#*:}
  pattern=$(echo "$function" | sed 's/::/\\(<T>\\)*::/')
  grep -q "[ ~]$pattern(" "$file" 2>/dev/null || fail "ARCHITECTURE.md: $file has no function $function"
done

# Rooms that exist are described.
for room in longhand/*/; do
  name=$(basename "$room")
  grep -q "\`$name\`" ARCHITECTURE.md || fail "ARCHITECTURE.md does not describe the room $name"
done

tools/make_options_page.sh "$longhand" | cmp -s - docs/options.md || fail "docs/options.md is out of date: run make docs"

# Every numbered equation is in the code that implements it, under its number, and no code names one that is not there.
equations=$(grep -o ' ([0-9]*)$' docs/derivatives.md | tr -d ' ()' | sort -n)
[ "$(echo "$equations" | tail -n 1)" -ge 40 ] || fail "docs/derivatives.md: no equations found"
numbered=$(cat longhand/kernels/reference*.h longhand/kernels/layer_norm-inl.h longhand/kernels/lstm_*.cpp \
               longhand/kernels/recurrent_*.cpp longhand/kernels/weight_gradients.cpp \
               longhand/nn/*.cpp longhand/tasks/*.cpp longhand/lab/derivatives*.cpp |
           grep -o '// .*([0-9]*).*\|(\(number, \)*[0-9]*, "\|{[0-9]*, "')
for number in $equations; do
  echo "$numbered" | grep -q "[({]$number[),]" || fail "docs/derivatives.md: equation ($number) is in no code"
done
for number in $(echo "$numbered" | grep '^//' | grep -o '([0-9]*)' | tr -d '()' | sort -nu); do
  echo "$equations" | grep -qx "$number" || fail "code names equation ($number), which docs/derivatives.md does not have"
done

for document in *.md docs/*.md; do
  for link in $(sed -n 's/.*](\([^)#]*\)).*/\1/p' "$document" | grep -v '^http'); do
    [ -e "$(dirname "$document")/$link" ] || fail "$document links to $link, which is not there"
  done
done
exit $failed

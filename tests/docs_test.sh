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
  grep -q "[ ~]$function(" "$file" 2>/dev/null || fail "ARCHITECTURE.md: $file has no function $function"
done

# Rooms that exist are described.
for room in longhand/*/; do
  name=$(basename "$room")
  grep -q "\`$name\`" ARCHITECTURE.md || fail "ARCHITECTURE.md does not describe the room $name"
done

tools/make_options_page.sh "$longhand" | cmp -s - docs/options.md || fail "docs/options.md is out of date: run make docs"

for document in *.md docs/*.md; do
  for link in $(sed -n 's/.*](\([^)#]*\)).*/\1/p' "$document" | grep -v '^http'); do
    [ -e "$(dirname "$document")/$link" ] || fail "$document links to $link, which is not there"
  done
done
exit $failed

#!/bin/sh
# Trains a character language model on the built-in story and writes from it; then, if the minute has room, one on the
# built-in quatrains. The runs are made in a folder that is removed at the end.
set -eu

longhand=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
begun=$(date +%s)

# Prints a command as one would type it, and runs it.
show() {
  printf '$ longhand'
  for word in "$@"; do
    case $word in
      *' '*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  echo
  "$longhand" "$@"
  echo
}

show train lm --data tale --batch 16 --epochs 60 --lr 0.003 --dropout 0.3 --out story
show generate story --prompt "Dorcas " --temperature 0.6 --length 400
if [ $(($(date +%s) - begun)) -lt 45 ]; then
  show train lm --data quatrains --lines --embed 128 --batch 16 --epochs 40 --lr 0.003 --dropout 0.4 --valid-fraction 0 --out poems
  show generate poems --temperature 0.7 --length 160
fi
echo "Next: longhand train lm --help, or train on a text of your own with --data FILE."

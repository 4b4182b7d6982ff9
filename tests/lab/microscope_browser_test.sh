#!/bin/sh
# The microscope's page in a browser: a hostile text of 100 KB, wide and narrow, light and dark. Exits 77 where Chromium
# or Python is absent: neither is needed for anything else.
set -eu
longhand=$1
folder=$(dirname "$0")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { echo "skipped: no Chromium (apt-get install chromium)"; exit 77; }
command -v python3 > /dev/null || { echo "skipped: no python3"; exit 77; }
work=${2:-$(mktemp -d)}
[ -n "${2:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

# 100 KB with scripts, quotes, brackets, control characters, marks of direction, and a line end of Unicode's.
python3 - "$work/text.txt" << 'END'
import sys
verse = ('The cat said "come here (or not)", and <script>window.hostile = 1</script> 42 dogs ran.\n'
         '</script><img src=x onerror="window.hostile = 2">\u202eback\u202c \u2028\x01 & the end!\n\n')
open(sys.argv[1], 'w', encoding='utf-8').write((verse * 900)[:100000])
END
"$longhand" train lm --data "$work/text.txt" --hidden 24 --layers 2 --epochs 1 --batch 32 --out "$work/run" --overwrite \
  --quiet > /dev/null
"$longhand" lab microscope "$work/run" --text "$work/text.txt" --out "$work/page.html" --explain-text "cat said" --context 60 \
  --quiet > "$work/table.txt"
exec python3 "$folder/microscope_browser.py" "$browser" "$work/page.html" "$work"

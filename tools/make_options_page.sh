#!/bin/sh
# Prints docs/options.md: every command's options, as the binary's own help has them.
set -eu
longhand=$1
echo "# Options"
echo
echo "Made by \`make docs\` from the table that the program itself reads; the value in brackets is the default."
echo "Of \`train\`, a name without its dashes is also a key of the TOML file that \`--config\` reads, but for those of the"
echo "run's own files: config, out, resume, overwrite, quiet, json."
for verb in "train lm" "train tagger" "train classifier" "train regressor" compare \
            "compare tagger" "compare classifier" "compare regressor" combine eval generate tag classify predict import run \
            quantise selftest "lab gradients" "lab memory" "lab remedies" "lab microscope" info "data list" "data get" "data show"; do
  printf '\n## longhand %s\n\n```\n' "$verb"
  # shellcheck disable=SC2086  # a verb may be two words
  "$longhand" $verb --help
  echo '```'
done

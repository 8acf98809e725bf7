#!/usr/bin/env bash
# Are explanations of students steadier than those of single models? On the studies of ../inheritance/commands.sh.
# OUT is where tables and figures go.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu compare outputs/evidence_inherit --output "$OUT/results.csv" --figure "$OUT/rmse" \
    --metric test/attribution/rmse --metric 'test/attribution/*'

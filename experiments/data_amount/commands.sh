#!/usr/bin/env bash
# How much data do an ensemble and its student need?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m experiment=evidence_data "$@"
degu compare outputs/evidence_data --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric test/regression/mse --metric 'test/uncertainty_epistemic/ause'

#!/usr/bin/env bash
# What should the ensemble teach on?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m experiment=evidence_ten "$@"
degu run -m experiment=evidence_teaching "$@"
degu compare outputs/evidence_teaching --against distill=static --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric 'test/uncertainty_epistemic/ause' --metric test/epistemic/pearson_r \
    --metric 'test/shift/*/*mse' --metric 'test/shift/*/epistemic_auroc'

#!/usr/bin/env bash
# How many members?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m experiment=evidence_ten "$@"
degu run -m experiment=evidence_members "$@"
degu compare outputs/evidence_members --against ensemble.num_ensemble=10 --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric test/epistemic/pearson_r --metric 'test/uncertainty_epistemic/ause' \
    --metric test/uncertainty_epistemic/uncertainty_error_spearman
degu compare outputs/evidence_members --figure "$OUT/epistemic" --metric test/uncertainty_epistemic/uncertainty_error_spearman

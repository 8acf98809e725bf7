#!/usr/bin/env bash
# In which form should a student learn the uncertainty?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m experiment=evidence_ten "$@"
degu run -m experiment=evidence_target "$@"
degu compare outputs/evidence_target --against uncertainty=std --against distill.standardize=true \
    --output "$OUT/results.csv" --figure "$OUT/epistemic" \
    --metric test/uncertainty_epistemic/ause --metric test/uncertainty_epistemic/uncertainty_error_spearman \
    --metric test/epistemic/pearson_r --metric test/epistemic/spearman_rho --metric test/regression/pearson_r

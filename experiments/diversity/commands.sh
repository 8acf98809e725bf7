#!/usr/bin/env bash
# Which diversity do members need?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

of=evidence_diversity
degu run -m "experiment=${of}_both,${of}_initial_values,${of}_data_order,${of}_augmentation,${of}_architectures" \
    'seed=range(0,5)' hydra.sweep.dir=outputs/evidence_diversity "$@"
degu compare outputs/evidence_diversity --against experiment=evidence_diversity_both \
    --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric 'test/uncertainty_epistemic/ause' \
    --metric test/uncertainty_epistemic/uncertainty_error_spearman --metric test/uncertainty_epistemic/coverage_90

#!/usr/bin/env bash
# Are intervals honest, and whose?
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m 'experiment=glob(evidence_noise_*)' 'seed=range(0,5)' hydra.sweep.dir=outputs/evidence_noise "$@"
degu compare outputs/evidence_noise --against experiment=evidence_noise_means \
    --output "$OUT/results.csv" --figure "$OUT/crps" --metric test/uncertainty_total_calibrated/crps \
    --metric test/regression/pearson_r --metric 'test/uncertainty_*/crps' --metric 'test/uncertainty_*/nll' \
    --metric 'test/uncertainty_*/coverage_90' --metric 'test/uncertainty_*/width_90' \
    --metric 'test/conformal_*/coverage_90' --metric 'test/conformal_*/width_90'

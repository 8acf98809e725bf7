#!/usr/bin/env bash
# Does the student inherit the ensemble? Also the studies of off_distribution and explanations.
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

for data in ${DATA:-plant_terminators lentimpra_joint crx_retina lac_promoter deepstarr_sample}; do
    case $data in
        crx_retina) share=(downsample.fraction=1.0) ;; # 40 % of it teach these networks nothing
        deepstarr_sample) share=(downsample.fraction=1.0) ;; # it is a small sample already
        *) share=() ;;
    esac
    degu run -m experiment=evidence_inherit "data=$data" "hydra.sweep.dir=outputs/evidence_inherit/$data" \
        "${share[@]}" "$@"
    degu run -m experiment=evidence_control "data=$data" "ensemble.members=['outputs/evidence_inherit/$data/\${seed}']" \
        "${share[@]}" "$@"
done
degu compare outputs/evidence_inherit outputs/evidence_control --against experiment=evidence_inherit \
    --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric test/regression/spearman_rho --metric test/regression/mse \
    --metric 'test/uncertainty_*/nll' --metric 'test/uncertainty_*/crps' --metric 'test/uncertainty_*/coverage_90'

#!/usr/bin/env bash
# What should the ensemble teach on? Wants the members of inheritance on lentimpra_joint.
# Arguments are overrides for every study; OUT is where tables and figures go. Finished studies are not run again.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu run -m experiment=evidence_ten "$@"
degu run -m experiment=evidence_teaching "$@"
degu compare outputs/evidence_teaching --against distill=static --output "$OUT/results.csv" --figure "$OUT/pearson" \
    --metric test/regression/pearson_r --metric 'test/uncertainty_epistemic/ause' --metric test/epistemic/pearson_r \
    --metric 'test/shift/*/*mse' --metric 'test/shift/*/epistemic_auroc'

for data in ${DATA:-plant_terminators lentimpra_joint}; do
    case $data in
        plant_terminators) members=outputs/evidence_ten ;;
        *) members=outputs/evidence_inherit/$data ;;
    esac
    epochs=(-m experiment=evidence_teaching_epochs "data=$data" "ensemble.members=['$members/\${seed}']")
    degu run "${epochs[@]}" "$@"
    degu run "${epochs[@]}" distill=static distill.trainer.max_epochs=32 "$@"
done
degu compare outputs/evidence_teaching_epochs --against distill=static --against distill.trainer.max_epochs=32 \
    --output "$OUT/epochs.csv" --figure "$OUT/epochs" --metric test/regression/pearson_r

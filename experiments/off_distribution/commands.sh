#!/usr/bin/env bash
# Does it hold off distribution? On the studies of ../inheritance/commands.sh.
# OUT is where tables and figures go.
set -euo pipefail
OUT=${OUT:-$(dirname "${BASH_SOURCE[0]}")}

degu compare outputs/evidence_inherit --output "$OUT/results.csv" --figure "$OUT/auroc" \
    --metric test/shift/shuffled/epistemic_auroc --metric 'test/shift/*/epistemic_auroc' \
    --metric 'test/shift/*/epistemic_std_ratio' --metric 'test/shift/*/*mse'

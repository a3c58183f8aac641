#!/usr/bin/env bash
# Trains both stages, fold students and every baseline on a file of real questions with rationales.
# The few steps are not enough to learn much: this checks that everything runs and reports dev figures.
#
#   bash benchmarks/real_data.sh RATIONALES.jsonl OUT       STEPS=60 FOLDS=2 STUDENT=scratch:small
#
# Dev is a tenth of the rows, split by question text; each run's scicot.json holds its figures.
set -euo pipefail

DATA=$1
OUT=$2
STEPS=${STEPS:-60}
FOLDS=${FOLDS:-2}
STUDENT=${STUDENT:-scratch:small}
common=(--student "$STUDENT" --batch-size 8 --learning-rate 1e-3 --warmup-steps 10
  --max-source-tokens 256 --max-target-tokens 64 --dev-fraction 0.1 --eval-steps "$((STEPS / 2))")
steps=(--max-steps "$STEPS")

scicot train-rationale "$DATA" -o "$OUT/rationale" "${common[@]}" "${steps[@]}" --folds "$FOLDS"
scicot train-answer "$DATA" "$OUT/rationale/out_of_fold.jsonl" -o "$OUT/answer" \
  "${common[@]}" "${steps[@]}" --weights 4,1 --rationale-dropout 0.2 --shuffle-choices
for baseline in direct one-sequence multi-task; do
  scicot train-answer "$DATA" -o "$OUT/$baseline" "${common[@]}" "${steps[@]}" --method "$baseline"
done
scicot train-answer "$DATA" -o "$OUT/direct-equal" "${common[@]}" --method direct \
  --equal-to "$OUT/rationale" --equal-to "$OUT/answer"

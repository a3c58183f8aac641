#!/usr/bin/env bash
# All steps on the bundled science world: no key, no hub, no GPU, about two minutes.
#
#   bash examples/quickstart.sh            with scicot installed; or: make quickstart
#   SEED=1 OUT=my/folder bash ...          another world, other students, another folder
#   STUDENT=scratch:tiny-causal bash ...   decoder-only students
#
# After an interruption, run the same command again: each step resumes where it stopped.
set -euo pipefail

SEED=${SEED:-0}
OUT=${OUT:-quickstart/seed-$SEED}
STEPS=${STEPS:-1000}     # optimizer steps of each of the three students
TRAIN=${TRAIN:-4000}     # training questions
TEST=${TEST:-320}        # test questions, about facts that no training question is about
STUDENT=${STUDENT:-scratch:tiny}
PYTHON=${PYTHON:-python3}
SCICOT=(scicot)
[ -z "${SCICOT_PYTHON:-}" ] || SCICOT=("$SCICOT_PYTHON" -m scicot_cli)  # set by scicot demo
HERE=$(cd "$(dirname "$0")" && pwd)
WORLD=$OUT/world

student=(--student "$STUDENT" --max-steps "$STEPS" --learning-rate 2e-3 --seed "$SEED")

# Bold text if stderr is a terminal.
if [ -t 2 ]; then BOLD=$'\033[1m' PLAIN=$'\033[0m'; else BOLD='' PLAIN=''; fi
step() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }

step "1/4  A world of objects and animals, and a tutor's recorded replies (seed $SEED)"
if [ ! -e "$WORLD/test_replies.jsonl" ]; then
  "$PYTHON" "$HERE/make_world.py" --out "$WORLD" --train "$TRAIN" --test "$TEST" --seed "$SEED" >&2
fi

step "2/4  The tutor explains the training questions; what cannot be learnt from is put aside"
"${SCICOT[@]}" generate-rationales "$WORLD/train.jsonl" -o "$OUT/rationales.jsonl" \
  --teacher "recorded:$WORLD/train_replies.jsonl"
"${SCICOT[@]}" generate-rationales "$WORLD/test.jsonl" -o "$OUT/tutor.jsonl" \
  --teacher "recorded:$WORLD/test_replies.jsonl"

step "3/4  Three students side by side, on a core each: stage 1 learns to write rationales, stage 2 to
     answer with a rationale at hand; direct, the baseline, is the same student without rationales"
threads=${OMP_NUM_THREADS-}
export OMP_NUM_THREADS=${threads:-1}
trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT  # stopping one stops all; each saves a checkpoint
"${SCICOT[@]}" train-answer "$OUT/rationales.jsonl" -o "$OUT/runs/answer" "${student[@]}" --quiet &
answer=$!
"${SCICOT[@]}" train-answer "$OUT/rationales.jsonl" -o "$OUT/runs/direct" "${student[@]}" --no-rationale --quiet &
direct=$!
"${SCICOT[@]}" train-rationale "$OUT/rationales.jsonl" -o "$OUT/runs/rationale" "${student[@]}"
wait "$answer" || { step "Stage 2 has failed: see above"; exit 1; }
wait "$direct" || { step "The direct baseline has failed: see above"; exit 1; }
trap - EXIT
[ -n "$threads" ] || unset OMP_NUM_THREADS

step "4/4  Predict and evaluate"
"${SCICOT[@]}" predict "$WORLD/test.jsonl" -o "$OUT/two-stage.jsonl" \
  --rationale-model "$OUT/runs/rationale" --answer-model "$OUT/runs/answer"
"${SCICOT[@]}" predict "$WORLD/test.jsonl" -o "$OUT/direct.jsonl" --answer-model "$OUT/runs/direct"
"${SCICOT[@]}" predict "$OUT/tutor.jsonl" -o "$OUT/given.jsonl" \
  --answer-model "$OUT/runs/answer" --rationale-from input

"${SCICOT[@]}" evaluate two-stage="$OUT/two-stage.jsonl" direct="$OUT/direct.jsonl" \
  "tutor's rationales"="$OUT/given.jsonl" --cluster-by meta.fact --by meta.domain --primary direct \
  --report "$OUT/report.html" --force

cat <<'NOTES'

The tutor is a script that knows this little world, not a large language model.
Two-stage has twice the weights of direct, and learns from rationales that direct never sees.
NOTES

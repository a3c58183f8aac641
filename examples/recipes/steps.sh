# shellcheck shell=bash
# The steps of all recipes. A recipe defines its data sets and sources this file.
#
#   SETS                    names of the data sets; train_of and test_of print where the questions of each are
#   OUT                     output folder                          (recipes/NAME)
#   STUDENTS                Hub ids or directories                 (google/flan-t5-small -base -large)
#   SEEDS                   seeds of the students                  (0 1 2)
#   TEACHER                 the model that writes rationales       (anthropic:claude-haiku-5-5)
#   SAMPLES                 rationales requested per question      (1)
#   FOLDS                   fold students of stage 1               (4)
#   DRAWS                   rationales sampled at prediction       (5)
#   EPOCHS, BATCH, RATE     epochs, batch size, learning rate      (10, 32, 3e-4)
#   BASELINES               methods to compare two stages with     (direct-equal one-sequence multi-task; "" for none)
#   SMOKE=1                 a few rows of the example world, scratch students, a recorded tutor: no hub, no key, no GPU
#
# A step that is already finished is skipped, and an interrupted one resumes: after any interruption, run the
# same command again. Exit code 75 means that it stopped early on request; let the scheduler start it again.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${OUT:-recipes/$NAME${SMOKE:+-smoke}}
STUDENTS=${STUDENTS:-google/flan-t5-small google/flan-t5-base google/flan-t5-large}
SEEDS=${SEEDS:-0 1 2}
TEACHER=${TEACHER:-anthropic:claude-haiku-5-5}
SAMPLES=${SAMPLES:-1}
FOLDS=${FOLDS:-4}
DRAWS=${DRAWS:-5}
BASELINES=${BASELINES-direct-equal one-sequence multi-task}
length=(--epochs "${EPOCHS:-10}")
dev=(--dev-fraction 0.1)

smoke() {
  local set world
  STUDENTS=scratch:tiny SEEDS=0 FOLDS=2 DRAWS=2
  length=(--max-steps 4)
  for set in $SETS; do
    world=$OUT/$set/world
    if [ ! -e "$world" ]; then
      "${PYTHON:-python3}" "$HERE/../make_world.py" --out "$world.new" --train 48 --test 8 --seed 0 >&2
      mv "$world.new" "$world"
    fi
  done
  train_of() { echo "$OUT/$1/world/train.jsonl"; }
  test_of() { echo "$OUT/$1/world/test.jsonl"; }
}

# Bold text if stderr is a terminal.
if [ -t 2 ]; then BOLD=$'\033[1m' PLAIN=$'\033[0m'; else BOLD='' PLAIN=''; fi
say() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }

# The teacher's rationales: the only step that costs money. It needs no GPU.
teach() { # SET
  local teacher=$TEACHER
  [ -z "${SMOKE:-}" ] || teacher=recorded:$OUT/$1/world/train_replies.jsonl
  say "$1: the teacher explains"
  scicot generate-rationales "$(train_of "$1")" -o "$OUT/$1/rationales.jsonl" \
    --teacher "$teacher" --samples "$SAMPLES"
}

# All questions. Without --shard, predict takes only its share of a job array; here the array is over students.
predict() { # QUESTIONS OPTION...
  scicot predict "$@" --shard 1/1
}

# Trains both stages and the baselines with one student and seed, then predicts with each.
train() { # SET STUDENT SEED
  local set=$1 student=$2 seed=$3 run rationales common baseline questions method
  run=$OUT/$set/$(basename "$student")/seed-$seed
  rationales=$OUT/$set/rationales.jsonl
  common=(--student "$student" --seed "$seed" --batch-size "${BATCH:-32}"
    --learning-rate "${RATE:-3e-4}")
  say "$set, $student, seed $seed: stage 1, with $FOLDS fold students"
  scicot train-rationale "$rationales" -o "$run/rationale" --folds "$FOLDS" \
    "${common[@]}" "${length[@]}" "${dev[@]}"
  say "$set, $student, seed $seed: stage 2, of the teacher's rationales, and of some of the fold students'"
  scicot train-answer "$rationales" -o "$run/answer" "${common[@]}" "${length[@]}" "${dev[@]}"
  scicot train-answer "$rationales" "$run/rationale/out_of_fold.jsonl" --weights 4,1 \
    -o "$run/mixed" "${common[@]}" "${length[@]}" "${dev[@]}"
  say "$set, $student, seed $seed: the baselines"
  scicot train-answer "$rationales" -o "$run/direct" --method direct \
    "${common[@]}" "${length[@]}" "${dev[@]}"
  for baseline in $BASELINES; do
    method=(--method "$baseline" "${length[@]}")
    [ "$baseline" != direct-equal ] ||
      method=(--method direct --equal-to "$run/rationale" --equal-to "$run/answer")
    scicot train-answer "$rationales" -o "$run/$baseline" "${common[@]}" "${dev[@]}" "${method[@]}"
  done
  say "$set, $student, seed $seed: predictions"
  questions=$(test_of "$set")
  predict "$questions" -o "$run/two-stage.jsonl" \
    --rationale-model "$run/rationale" --answer-model "$run/answer"
  predict "$questions" -o "$run/sampled.jsonl" --samples "$DRAWS" \
    --rationale-model "$run/rationale" --answer-model "$run/answer"
  predict "$questions" -o "$run/mixed-with-folds.jsonl" --with-folds \
    --rationale-model "$run/rationale" --answer-model "$run/mixed"
  predict "$questions" -o "$run/shuffled.jsonl" --rationale-from shuffled \
    --rationale-model "$run/rationale" --answer-model "$run/answer"
  for baseline in direct $BASELINES; do
    predict "$questions" -o "$run/$baseline.jsonl" --answer-model "$run/$baseline"
  done
}

# Evaluates the seeds whose predictions are complete. The primary comparison is two stages against direct.
compare() { # SET STUDENT
  local folder=$OUT/$1/$(basename "$2") system file files=()
  for system in two-stage direct sampled mixed-with-folds shuffled $BASELINES; do
    for file in "$folder"/seed-*/"$system.jsonl"; do
      if grep -qs '"finished": true' "${file%.jsonl}.state.json"; then files+=("$system=$file"); fi
    done
  done
  say "$1, $2: the verdict"
  if [ ${#files[@]} = 0 ]; then
    echo "$folder: no finished predictions yet" >&2
    return
  fi
  scicot evaluate "${files[@]}" --primary direct --report "$folder/report.html" --force
}

each() { # FUNCTION: calls it for every set, student and seed, or only for those of this job-array task
  local index=0 task=${SLURM_ARRAY_TASK_ID:-} set student seed
  for set in $SETS; do
    for student in $STUDENTS; do
      for seed in $SEEDS; do
        if [ "${task:-$index}" = "$index" ]; then "$1" "$set" "$student" "$seed"; fi
        index=$((index + 1))
      done
    done
  done
  if [ -n "$task" ] && [ "$task" -ge "$index" ]; then
    echo "task $task of an array of $index: --array=0-$((index - 1))" >&2
    return 2
  fi
}

recipe() { # [teach | train | compare]; all three by default
  [ -z "${SMOKE:-}" ] || smoke
  local set student part
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ] && [ "${1:-all}" != train ]; then
    echo "a job array is for the part train; teach and compare are of all students" >&2
    return 2
  fi
  case ${1:-all} in
    teach) for set in $SETS; do teach "$set"; done ;;
    train) each train ;;
    compare) for set in $SETS; do for student in $STUDENTS; do compare "$set" "$student"; done; done ;;
    all) for part in teach train compare; do recipe "$part"; done ;;
    *)
      echo "usage: $0 [teach|train|compare]" >&2
      return 2
      ;;
  esac
}

# shellcheck shell=bash
# The road that all recipes take; sourced by them, after they have said which questions.
#
#   SETS                    names of the data sets; train_of and test_of say where each one's questions are
#   OUT                     where everything goes                  (recipes/NAME)
#   STUDENTS                Hub ids or directories                 (google/flan-t5-small -base -large)
#   SEEDS                   of the students                        (0 1 2)
#   TEACHER                 who explains                           (anthropic:claude-haiku-5-5)
#   SAMPLES                 rationales asked of it per question    (1)
#   FOLDS                   fold students of stage 1               (4)
#   DRAWS                   rationales sampled at prediction       (5)
#   EPOCHS, BATCH, RATE     of every training                      (10, 32, 3e-4)
#   RIVALS                  what two stages are compared with      (direct-equal one-sequence multi-task; "" for none)
#   SMOKE=1                 a few rows of the example world, scratch students, a recorded tutor: no hub, no key, no GPU
#
# Each step knows what it has done: stopped in any way, the same command goes on. With 75 it stopped early
# because it was told to; let the scheduler start it again.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${OUT:-recipes/$NAME${SMOKE:+-smoke}}
STUDENTS=${STUDENTS:-google/flan-t5-small google/flan-t5-base google/flan-t5-large}
SEEDS=${SEEDS:-0 1 2}
TEACHER=${TEACHER:-anthropic:claude-haiku-5-5}
SAMPLES=${SAMPLES:-1}
FOLDS=${FOLDS:-4}
DRAWS=${DRAWS:-5}
RIVALS=${RIVALS-direct-equal one-sequence multi-task}
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

# Bold on a terminal.
if [ -t 2 ]; then BOLD=$'\033[1m' PLAIN=$'\033[0m'; else BOLD='' PLAIN=''; fi
say() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }

# What the teacher writes; the only step that costs money, and none that needs a GPU.
teach() { # SET
  local teacher=$TEACHER
  [ -z "${SMOKE:-}" ] || teacher=recorded:$OUT/$1/world/train_replies.jsonl
  say "$1: the teacher explains"
  scicot generate-rationales "$(train_of "$1")" -o "$OUT/$1/rationales.jsonl" \
    --teacher "$teacher" --samples "$SAMPLES"
}

# All questions: left alone, predict would take its part of a job array, which is of students here.
predict() { # QUESTIONS OPTION...
  scicot predict "$@" --shard 1/1
}

# Both stages and their rivals of one student and seed, and what they predict.
train() { # SET STUDENT SEED
  local set=$1 student=$2 seed=$3 run rationales common rival questions method
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
  say "$set, $student, seed $seed: the rivals"
  scicot train-answer "$rationales" -o "$run/direct" --method direct \
    "${common[@]}" "${length[@]}" "${dev[@]}"
  for rival in $RIVALS; do
    method=(--method "$rival" "${length[@]}")
    [ "$rival" != direct-equal ] ||
      method=(--method direct --equal-to "$run/rationale" --equal-to "$run/answer")
    scicot train-answer "$rationales" -o "$run/$rival" "${common[@]}" "${dev[@]}" "${method[@]}"
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
  for rival in direct $RIVALS; do
    predict "$questions" -o "$run/$rival.jsonl" --answer-model "$run/$rival"
  done
}

# The verdict over the seeds whose predictions are whole; two stages against direct is the comparison
# named beforehand.
compare() { # SET STUDENT
  local place=$OUT/$1/$(basename "$2") system file files=()
  for system in two-stage direct sampled mixed-with-folds shuffled $RIVALS; do
    for file in "$place"/seed-*/"$system.jsonl"; do
      if grep -qs '"finished": true' "${file%.jsonl}.state.json"; then files+=("$system=$file"); fi
    done
  done
  say "$1, $2: the verdict"
  if [ ${#files[@]} = 0 ]; then
    echo "$place: no finished predictions yet" >&2
    return
  fi
  scicot evaluate "${files[@]}" --primary direct --report "$place/report.html" --force
}

each() { # FUNCTION: of every set, student and seed, or the one that a job array's index names
  local number=0 wanted=${SLURM_ARRAY_TASK_ID:-} set student seed
  for set in $SETS; do
    for student in $STUDENTS; do
      for seed in $SEEDS; do
        if [ "${wanted:-$number}" = "$number" ]; then "$1" "$set" "$student" "$seed"; fi
        number=$((number + 1))
      done
    done
  done
  if [ -n "$wanted" ] && [ "$wanted" -ge "$number" ]; then
    echo "task $wanted of an array of $number: --array=0-$((number - 1))" >&2
    return 2
  fi
}

recipe() { # teach | train | compare; nothing: all of them
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

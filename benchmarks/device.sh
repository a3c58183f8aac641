#!/usr/bin/env bash
# All checks that need a GPU, in at most 8 minutes on a fresh machine that has one.
#
#   bash benchmarks/device.sh OUT               all sections
#   bash benchmarks/device.sh OUT tests train   some of them
#   SMOKE=1 bash benchmarks/device.sh OUT       tiny sizes, also on a CPU; `make test` runs this
#   STUDENT=DIR bash benchmarks/device.sh OUT evidence SET SEED
#                                               only a row of docs/evidence.md: all its systems
#
# The row reads the question sets from SCICOT_DATA and writes OUT/SET-SEED.SYSTEM.json for each system
# (benchmarks/evidence.py). After a time limit has stopped it, run the same command again to resume.
# SYSTEMS="direct two-stage" runs only these systems, one after another.
#
#   STUDENT=DIR bash benchmarks/device.sh OUT reward SET SEED [OPTION ...]
#                                               only one round of train-rationale --reward:
#                                               OUT/SET-SEED.reward.json; options such as
#                                               --folds 5 --rows 3000 as in benchmarks/rewards_set.py
#
# Each section has its own time limit and writes OUT/SECTION.json as soon as it is done, so a section
# that fails or hangs does not affect the results of the others. Packages that the machine lacks are
# installed from WHEELS, a folder of wheels, without network access:
#
#   pip download -d benchmarks/wheels --python-version 312 --only-binary=:all: \
#     datasets jsonlines anthropic typer filelock psutil pytest hypothesis
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
OUT=${1:?give a folder for the results}
shift
PYTHON=${PYTHON:-python3}
WHEELS=${WHEELS:-$HERE/wheels}
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)

# Time limit of each section in seconds; 470 in total.
declare -A LIMITS=([tests]=80 [commands]=110 [predict]=120 [profile]=60 [train]=100)
ORDER=(tests commands predict profile train)

if [ -d "$WHEELS" ]; then
  missing=()
  for name in datasets jsonlines anthropic pydantic typer filelock psutil pytest hypothesis; do
    "$PYTHON" -c "import $name" 2>/dev/null || missing+=("$name")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    timeout 60 "$PYTHON" -m pip install --quiet --no-index --find-links "$WHEELS" \
      --target "$OUT/site-packages" "${missing[@]}" || echo "device: could not install ${missing[*]}" >&2
    export PYTHONPATH="$OUT/site-packages${PYTHONPATH:+:$PYTHONPATH}"
  fi
fi
export PYTHONPATH="$ROOT/src:$ROOT${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1

# The systems of a row. The lanes run in parallel, because a student of 126 million weights leaves most
# of the GPU idle. A stage that two systems need is trained by the first to reach it. The most important
# systems come first.
LANES=("two-stage two-stage-oof two-stage-both"
  "direct direct-2 zero-shot one-sequence given none shuffled"
  "answer-first shared multi-task")
LONGEST=465 # time limit of a row in seconds, without preparing its questions

evidence() {
  local name=$1-$2 scale=1 limit=$LONGEST code=0 lane job jobs=() options
  [ ! -d "$STUDENT" ] || STUDENT=$(cd "$STUDENT" && pwd)
  [ ! -d "${SCICOT_DATA:-}" ] || export SCICOT_DATA=$(cd "$SCICOT_DATA" && pwd)
  [ -z "${SYSTEMS:-}" ] || LANES=("$SYSTEMS")
  options=(--student "$STUDENT")
  if [ -n "${SMOKE:-}" ]; then
    options+=(--rows 24 --test-rows 6 --max-steps 1)
    scale=10 limit=$((10 * LONGEST))
  fi
  cd "$ROOT" || exit 1
  "$PYTHON" -m benchmarks.evidence run "$OUT" "$name" "${options[@]}" 2> "$OUT/$name.log" \
    || { tail -n 5 "$OUT/$name.log" >&2; exit 1; }
  for lane in "${LANES[@]}"; do
    # shellcheck disable=SC2086  (the systems of a lane are words)
    timeout "$limit" "$PYTHON" -m benchmarks.evidence run "$OUT" "$name" $lane "${options[@]}" \
      --limit-scale "$scale" 2> "$OUT/$name.${lane%% *}.log" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || code=1; done
  return $code
}

if [ "${1:-}" = evidence ]; then
  if [ $# -ne 3 ] || [ -z "${STUDENT:-}" ]; then
    echo "device: STUDENT=DIR bash $0 OUT evidence SET SEED" >&2
    exit 2
  fi
  evidence "$2" "$3"
  exit
fi

reward() {
  local name=$1-$2 limit=$LONGEST options
  shift 2
  [ ! -d "$STUDENT" ] || STUDENT=$(cd "$STUDENT" && pwd)
  [ ! -d "${SCICOT_DATA:-}" ] || export SCICOT_DATA=$(cd "$SCICOT_DATA" && pwd)
  options=(--student "$STUDENT" "$@")
  if [ -n "${SMOKE:-}" ]; then
    options+=(--rows 24 --test-rows 6 --max-steps 1)
    limit=$((10 * LONGEST))
  fi
  cd "$ROOT" || exit 1
  timeout "$limit" "$PYTHON" -m benchmarks.rewards_set "$OUT" "$name" "${options[@]}" \
    2> "$OUT/$name.reward.log" || { tail -n 5 "$OUT/$name.reward.log" >&2; return 1; }
}

if [ "${1:-}" = reward ]; then
  if [ $# -lt 3 ] || [ -z "${STUDENT:-}" ]; then
    echo "device: STUDENT=DIR bash $0 OUT reward SET SEED [OPTION ...]" >&2
    exit 2
  fi
  reward "${@:2}"
  exit
fi

failed=0
for section in "${@:-${ORDER[@]}}"; do
  limit=${LIMITS[$section]:-}
  if [ -z "$limit" ]; then
    echo "device: no section $section; there is ${ORDER[*]}" >&2
    exit 2
  fi
  [ -z "${SMOKE:-}" ] || limit=$((4 * limit)) # a machine that only tests the script may be slow
  start=$(date +%s)
  (cd "$ROOT" && timeout "$limit" "$PYTHON" -m benchmarks.device "$section" "$OUT/$section.json") \
    > "$OUT/$section.log" 2>&1
  code=$?
  [ $code -eq 0 ] || failed=1
  [ $code -ne 124 ] || echo "took longer than $limit s" >> "$OUT/$section.log"
  echo "$section: exit $code, $(($(date +%s) - start)) s"
  [ $code -eq 0 ] || tail -n 5 "$OUT/$section.log"
done
exit $failed

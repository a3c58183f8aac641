#!/usr/bin/env bash
# All checks that need a GPU, in at most 8 minutes on a bare machine with one.
#
#   bash benchmarks/device.sh OUT               all sections
#   bash benchmarks/device.sh OUT tests train   some of them
#   SMOKE=1 bash benchmarks/device.sh OUT       tiny sizes, on a CPU too: what `make test` runs
#   STUDENT=DIR bash benchmarks/device.sh OUT evidence SET SEED
#                                               instead a row of docs/evidence.md: all its systems
#
# The row reads the question sets from SCICOT_DATA and leaves OUT/SET-SEED.SYSTEM.json of each system
# (benchmarks/evidence.py). The same command goes on where a time limit has stopped it.
# SYSTEMS="direct two-stage" does these alone, one after another.
#
#   STUDENT=DIR bash benchmarks/device.sh OUT reward SET SEED
#                                               instead one round of train-rationale --reward:
#                                               OUT/SET-SEED.reward.json (benchmarks/rewards_set.py)
#
# Each section has its own time limit and leaves OUT/SECTION.json as soon as it is done, so that a
# section that fails or hangs costs no other its results. Packages that the machine lacks are
# installed from WHEELS, a folder of wheels, without a network:
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

# Seconds of each section; 470 in all.
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

# Systems of a row, side by side: a student of 126 million weights leaves most of the GPU idle. A
# stage that two of them need is trained by whoever comes first. Those that matter most come first.
LANES=("two-stage two-stage-oof two-stage-both"
  "direct direct-2 zero-shot one-sequence given none shuffled"
  "answer-first shared multi-task")
LONGEST=465 # seconds of a row, beside its questions

evidence() {
  local name=$1-$2 scale=1 most=$LONGEST code=0 lane job jobs=() options
  [ ! -d "$STUDENT" ] || STUDENT=$(cd "$STUDENT" && pwd)
  [ ! -d "${SCICOT_DATA:-}" ] || export SCICOT_DATA=$(cd "$SCICOT_DATA" && pwd)
  [ -z "${SYSTEMS:-}" ] || LANES=("$SYSTEMS")
  options=(--student "$STUDENT")
  if [ -n "${SMOKE:-}" ]; then
    options+=(--rows 24 --test-rows 6 --max-steps 1)
    scale=10 most=$((10 * LONGEST))
  fi
  cd "$ROOT" || exit 1
  "$PYTHON" -m benchmarks.evidence run "$OUT" "$name" "${options[@]}" 2> "$OUT/$name.log" \
    || { tail -n 5 "$OUT/$name.log" >&2; exit 1; }
  for lane in "${LANES[@]}"; do
    # shellcheck disable=SC2086  (the systems of a lane are words)
    timeout "$most" "$PYTHON" -m benchmarks.evidence run "$OUT" "$name" $lane "${options[@]}" \
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
  local name=$1-$2 most=$LONGEST options
  [ ! -d "$STUDENT" ] || STUDENT=$(cd "$STUDENT" && pwd)
  [ ! -d "${SCICOT_DATA:-}" ] || export SCICOT_DATA=$(cd "$SCICOT_DATA" && pwd)
  options=(--student "$STUDENT")
  if [ -n "${SMOKE:-}" ]; then
    options+=(--rows 24 --test-rows 6 --max-steps 1)
    most=$((10 * LONGEST))
  fi
  cd "$ROOT" || exit 1
  timeout "$most" "$PYTHON" -m benchmarks.rewards_set "$OUT" "$name" "${options[@]}" \
    2> "$OUT/$name.reward.log" || { tail -n 5 "$OUT/$name.reward.log" >&2; return 1; }
}

if [ "${1:-}" = reward ]; then
  if [ $# -ne 3 ] || [ -z "${STUDENT:-}" ]; then
    echo "device: STUDENT=DIR bash $0 OUT reward SET SEED" >&2
    exit 2
  fi
  reward "$2" "$3"
  exit
fi

failed=0
for section in "${@:-${ORDER[@]}}"; do
  limit=${LIMITS[$section]:-}
  if [ -z "$limit" ]; then
    echo "device: no section $section; there is ${ORDER[*]}" >&2
    exit 2
  fi
  [ -z "${SMOKE:-}" ] || limit=$((4 * limit)) # machines that only try the script may be slow
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

#!/usr/bin/env bash
# All checks that need a GPU, in at most 8 minutes on a bare machine with one.
#
#   bash benchmarks/device.sh OUT               all sections
#   bash benchmarks/device.sh OUT tests train   some of them
#   SMOKE=1 bash benchmarks/device.sh OUT       tiny sizes, on a CPU too: what `make test` runs
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
      --target "$OUT/site" "${missing[@]}" || echo "device: could not install ${missing[*]}" >&2
    export PYTHONPATH="$OUT/site${PYTHONPATH:+:$PYTHONPATH}"
  fi
fi
export PYTHONPATH="$ROOT/src:$ROOT${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1

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

#!/usr/bin/env bash
# Runs lanes: tests that need more than Node and npm (a browser, Python, nginx, the npm registry).
# A lane is a folder test/lanes/NAME with a script lane.sh, which installs what it needs below
# .cache/ or by the system's packages, and then tests. Its exit status: 0 passed, 77 skipped (its
# last line says why), anything else failed.
#
#   scripts/lane.sh NAME…     these lanes
#   scripts/lane.sh --all     every lane, but those with a file BY-HAND, which says why
#   scripts/lane.sh           lists them
#
# LANE_SECONDS_MAX bounds one lane (default 1200). NODE is the Node that lanes run.
set -u
cd "$(dirname "$0")/.." || exit 1

lanes=()
for script in test/lanes/*/lane.sh; do lanes+=("$(basename "$(dirname "$script")")"); done

case "${1:-}" in
  '') printf '%s\n' "${lanes[@]}"; exit 0 ;;
  --all)
    set --
    for lane in "${lanes[@]}"; do [ -f "test/lanes/$lane/BY-HAND" ] || set -- "$@" "$lane"; done
    ;;
esac

node_version_ok='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 19) ? 0 : 1)'
if [ -z "${NODE:-}" ]; then
  NODE=$(command -v node)
  if ! "$NODE" -e "$node_version_ok"; then
    NODE=$(ls .toolchain/node_modules/node*/bin/node 2>/dev/null | head -n 1)
  fi
fi
[ -x "${NODE:-}" ] || { echo "lane: no Node 22.19 or newer here; run \"npm test\" once, which brings one" >&2; exit 1; }
export NODE

# Tails of the logs of failed lanes are printed again at the end, where a reader of a long output looks.
tail_lines=30 tails=$(mktemp)
trap 'rm -f "$tails"' EXIT
passed=0 failed=0 skipped=0 failures=""
for lane in "$@"; do
  script=test/lanes/$lane/lane.sh
  if [ ! -f "$script" ]; then
    echo "lane: there is no lane \"$lane\"; known: ${lanes[*]}" >&2
    exit 2
  fi
  echo "=== lane $lane"
  log=$(mktemp)
  started=$SECONDS
  timeout --kill-after=30 "${LANE_SECONDS_MAX:-1200}" bash "$script" < /dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  took=$((SECONDS - started))
  case $status in
    0) passed=$((passed + 1)); echo "=== lane $lane: passed in $took s" ;;
    77) skipped=$((skipped + 1)); echo "=== lane $lane: SKIPPED: $(tail -n 1 "$log")" ;;
    124 | 137) failed=$((failed + 1)); failures+=" $lane"; echo "=== lane $lane: FAILED: longer than ${LANE_SECONDS_MAX:-1200} s" ;;
    *) failed=$((failed + 1)); failures+=" $lane"; echo "=== lane $lane: FAILED with status $status after $took s" ;;
  esac
  case $status in 0 | 77) ;; *) { echo "=== end of the log of lane $lane"; tail -n "$tail_lines" "$log"; } >> "$tails" ;; esac
  rm -f "$log"
done
cat "$tails"
[ -z "$failures" ] || echo "failed lanes:$failures"
echo "lanes: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

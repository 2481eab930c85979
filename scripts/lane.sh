#!/usr/bin/env bash
# Runs lanes: tests that need more than Node and npm (a browser, Python, nginx, the npm registry).
# A lane is a folder test/lanes/NAME with a script lane.sh, which installs what it needs below
# .cache/ or by the system's packages, and then tests. Its exit status: 0 passed, 77 skipped (its
# last line says why), anything else failed. Of several lanes, those that failed run once more at the end.
#
#   scripts/lane.sh NAME…     these lanes
#   scripts/lane.sh --commit  those of this tier: test/lanes/tiers.txt has the table
#   scripts/lane.sh --land    those of the tiers commit and land
#   scripts/lane.sh --night   those of the tier night
#   scripts/lane.sh --all     every lane
#   scripts/lane.sh           lists them all
#
# LANE_SECONDS_MAX bounds one lane (default 1200). NODE is the Node that lanes run.
set -u
cd "$(dirname "$0")/.." || exit 1

lanes=()
for script in test/lanes/*/lane.sh; do lanes+=("$(basename "$(dirname "$script")")"); done

# The lanes of the tiers that the pattern $1 names.
in_tiers() { awk -v tiers="^($1)\$" '$1 ~ tiers { print $2 }' test/lanes/tiers.txt; }
# shellcheck disable=SC2046
case "${1:-}" in
  '') printf '%s\n' "${lanes[@]}"; exit 0 ;;
  --commit) set -- $(in_tiers commit) ;;
  --land) set -- $(in_tiers 'commit|land') ;;
  --all) set -- "${lanes[@]}" ;;
  --night) set -- $(in_tiers night) ;;
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

# Runs one lane. @returns (in `outcome`) passed, skipped or failed.
run_lane() {
  local lane=$1 log started took status
  echo "=== lane $lane"
  log=$(mktemp)
  started=$SECONDS
  timeout --kill-after=30 "${LANE_SECONDS_MAX:-1200}" bash "test/lanes/$lane/lane.sh" < /dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  took=$((SECONDS - started))
  outcome=failed
  case $status in
    0) outcome=passed; echo "=== lane $lane: passed in $took s" ;;
    77) outcome=skipped; echo "=== lane $lane: SKIPPED: $(tail -n 1 "$log")" ;;
    124 | 137) echo "=== lane $lane: FAILED: longer than ${LANE_SECONDS_MAX:-1200} s" ;;
    *) echo "=== lane $lane: FAILED with status $status after $took s" ;;
  esac
  [ "$outcome" != failed ] || { echo "=== end of the log of lane $lane"; tail -n "$tail_lines" "$log"; } >> "$tails"
  rm -f "$log"
}

# Tails of the logs of failed lanes are printed again at the end, where a reader of a long output looks.
tail_lines=30 tails=$(mktemp)
trap 'rm -f "$tails"' EXIT
for lane in "$@"; do
  [ -f "test/lanes/$lane/lane.sh" ] || { echo "lane: there is no lane \"$lane\"; known: ${lanes[*]}" >&2; exit 2; }
done
passed=0 failed=0 skipped=0 failures=() unstable=()
for lane in "$@"; do
  run_lane "$lane"
  case $outcome in
    passed) passed=$((passed + 1)) ;;
    skipped) skipped=$((skipped + 1)) ;;
    failed) failures+=("$lane") ;;
  esac
done
# A lane that fails once and passes when it runs alone again has met the load of the machine, or a race: it is named, so that
# somebody looks for it, and does not fail the whole.
if [ "$#" -gt 1 ]; then
  again=("${failures[@]}") failures=()
  for lane in "${again[@]}"; do
    echo "=== lane $lane is run again"
    run_lane "$lane"
    if [ "$outcome" = passed ]; then passed=$((passed + 1)); unstable+=("$lane"); else failures+=("$lane"); fi
  done
fi
failed=${#failures[@]}
cat "$tails"
[ "${#unstable[@]}" -eq 0 ] || echo "unstable lanes, which failed once and passed when they ran again: ${unstable[*]}"
[ "$failed" -eq 0 ] || echo "failed lanes: ${failures[*]}"
echo "lanes: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

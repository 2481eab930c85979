#!/usr/bin/env bash
# The lane "mutants": small mistakes planted in the code, one at a time, of which `npm test` should
# notice nine of ten. Run by night or by hand, for it takes minutes per room.
# run.ts says more; arguments go by the environment:
#
#   MUTANTS="--rooms core/values --sample 40 --seed 1" scripts/lane.sh mutants
set -eu
"$NODE" --test test/lanes/mutants/*.test.ts

default_rooms=core/engine,core/values,core/routing,tools/simulate-stack,apps/up,apps/router
# shellcheck disable=SC2086 # the arguments are meant to be split
exec nice -n 10 "$NODE" test/lanes/mutants/run.ts ${MUTANTS:---rooms $default_rooms}

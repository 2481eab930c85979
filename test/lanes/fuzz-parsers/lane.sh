#!/usr/bin/env bash
# The lane "fuzz-parsers": changed and broken input to every parser of bytes from outside, for a
# minute. See parsers.test.ts for the seed, and run.ts for the long form.
set -eu
# Goal: 50 ms, as in run.ts. A few cases take about that long, and this lane must not depend on how fast a machine is.
export FUZZ_PAUSE_MS=${FUZZ_PAUSE_MS:-200}
exec "$NODE" --expose-gc --test --test-timeout=300000 test/lanes/fuzz-parsers/*.test.ts

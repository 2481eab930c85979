#!/usr/bin/env bash
# The lane "fuzz-parsers": changed and broken input to every parser of bytes from outside, for a
# minute. See parsers.test.ts for the seed, and run.ts for the long form.
set -eu
exec "$NODE" --expose-gc --test --test-timeout=300000 test/lanes/fuzz-parsers/*.test.ts

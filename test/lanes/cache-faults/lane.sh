#!/usr/bin/env bash
# The lane "cache-faults": a cache server under faults, each a hundred times, from seeds that are printed.
# CACHE_FAULT_RUNS sets another number, SPILLWAY_TEST_SEED the first seed.
set -eu
exec "$NODE" --test --test-timeout=1200000 --test-reporter=./scripts/test-reporter.mjs test/lanes/cache-faults/*.test.ts

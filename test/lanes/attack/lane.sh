#!/usr/bin/env bash
# The lane "attack": one hostile client after the other against a router, a cache server or an engine in a process of its own. Each has a
# bound on memory, pauses, and on what other clients notice. See attack.test.ts.
set -eu
exec "$NODE" --test --test-concurrency=2 --test-timeout=120000 test/lanes/attack/*.test.ts

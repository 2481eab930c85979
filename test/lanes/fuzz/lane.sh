#!/usr/bin/env bash
# The lane "fuzz": a thousand random requests, valid and not, to real vLLM on the CPU and to the
# embedded engine, whose answers must agree. fuzz.test.ts says how to choose seed and length.
set -eu
. test/lanes/vllm/install.sh

free_kib=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
[ "$free_kib" -gt $((4 * 1024 * 1024)) ] || skip "a vLLM server needs 4 GiB of free memory"

exec "$NODE" --test --test-timeout=900000 test/lanes/fuzz/*.test.ts

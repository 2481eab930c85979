#!/usr/bin/env bash
# The lane "fuzz": sends a thousand random requests, valid and invalid, to real vLLM on the CPU and
# to the embedded engine, whose responses must agree. See fuzz.test.ts for seed and length.
set -eu
. test/lanes/vllm/install.sh

free_kib=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
[ "$free_kib" -gt $((4 * 1024 * 1024)) ] || skip "a vLLM server needs 4 GiB of free memory"

exec "$NODE" --test --test-timeout=900000 test/lanes/fuzz/*.test.ts

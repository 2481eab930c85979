#!/usr/bin/env bash
# The lane "vllm": two real vLLM servers on the CPU, behind Spillway's router. Creates a two-layer
# model with random weights and a real tokenizer, and runs the tests.
set -eu
. test/lanes/vllm/install.sh

free_kib=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
[ "$free_kib" -gt $((7 * 1024 * 1024)) ] || skip "two vLLM servers need 7 GiB of free memory"

# One file after the other: each has two servers.
exec "$NODE" --test --test-concurrency=1 --test-timeout=900000 test/lanes/vllm/*.test.ts

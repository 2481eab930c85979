#!/usr/bin/env bash
# The lane "gate": `spillway gate` and `spillway plan` query a real Prometheus with backfilled
# series, and promtool checks the rules that plan writes. Uses the prometheus and promtool on PATH,
# or Debian's package.
set -eu
skip() { echo "$1"; exit 77; }

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] ||
    skip "no prometheus and promtool on PATH (Debian: apt-get install prometheus)"
  { apt-get update && apt-get install -y --no-install-recommends prometheus; } >/dev/null 2>&1 ||
    skip "apt-get could not install prometheus"
fi
prometheus --version 2>&1 | head -n 1
exec "$NODE" --test --test-timeout=120000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/gate/*.test.ts'

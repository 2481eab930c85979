#!/usr/bin/env bash
# The published package: packed, installed in another folder from the npm registry, and run with
# the oldest supported and with a too old Node. Needs the npm registry.
set -euo pipefail

if ! npm view commander version --fetch-timeout=20000 --fetch-retries=1 > /dev/null 2>&1; then
  echo "the npm registry does not respond"
  exit 77
fi
"$NODE" --test --test-timeout=300000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/pack/*.test.ts'

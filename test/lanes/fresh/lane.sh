#!/usr/bin/env bash
# A fresh copy of this tree under Node 20 with nothing installed: `npm start` and `npm test` must set
# up all they need. Needs the npm registry and Linux (for Node 20 itself).
set -euo pipefail

if [ "$(uname -s)" != Linux ]; then
  echo "Node 20 is brought for Linux only"
  exit 77
fi
if ! npm view commander version --fetch-timeout=20000 --fetch-retries=1 > /dev/null 2>&1; then
  echo "the npm registry does not answer"
  exit 77
fi
"$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/fresh/*.test.ts'

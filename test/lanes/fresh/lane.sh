#!/usr/bin/env bash
# A new copy of this tree with Node 20 and nothing installed: `npm start` and `npm test` must
# install everything they need. Needs the npm registry and Linux (for Node 20 itself).
set -euo pipefail

if [ "$(uname -s)" != Linux ]; then
  echo "Node 20 is downloaded for Linux only"
  exit 77
fi
if ! npm view commander version --fetch-timeout=20000 --fetch-retries=1 > /dev/null 2>&1; then
  echo "the npm registry does not respond"
  exit 77
fi
"$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/fresh/*.test.ts'

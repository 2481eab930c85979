#!/usr/bin/env bash
# The lane "beside": the same requests live on embedded engines and in a simulation of their values file agree within 5 %.
set -eu
exec "$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/beside/*.test.ts'

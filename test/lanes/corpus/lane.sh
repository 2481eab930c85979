#!/usr/bin/env bash
# The lane "corpus": what people who came from other systems really have. Clients as they are (clients/*.py, Python's standard
# library alone), values files, traces, datasets and results (files/), and a first chat with each model of the catalogue.
# The chat of each model is test/integration/catalogue-answers.test.ts, which npm test runs, too.
# HELM names the Helm of the cases that need the chart; by default the one that scripts/kubernetes-tools.sh builds with Go.
set -eu
skip() { echo "$1"; exit 77; }

command -v python3 > /dev/null || skip 'no python3 on this machine'
if [ -z "${HELM:-}" ] && tools=$(bash scripts/kubernetes-tools.sh helm3); then HELM=$tools/helm3; fi
export HELM=${HELM:-} NODE
exec "$NODE" --test --test-concurrency=2 --test-timeout=300000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/corpus/*.test.ts' test/integration/catalogue-answers.test.ts

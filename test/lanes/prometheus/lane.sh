#!/usr/bin/env bash
# The lane "prometheus": a real Prometheus and its promtool. The rules fire when they should and are silent otherwise, in
# made series. Uses the programs on PATH, or Debian's package, which is unpacked into the user's cache folder
# and not installed, so that the lane needs no root and starts no service.
set -eu
skip() { echo "$1"; exit 77; }

if ! command -v prometheus > /dev/null || ! command -v promtool > /dev/null; then
  lanes=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes
  if [ ! -x "$lanes/prometheus/usr/bin/promtool" ]; then
    command -v apt-get > /dev/null || skip "no prometheus and promtool on PATH, and no apt-get to get them"
    rm -rf "$lanes/prometheus" && mkdir -p "$lanes/prometheus"
    (cd "$lanes/prometheus" &&
      { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } &&
      dpkg -x prometheus_*.deb . && rm prometheus_*.deb) > /dev/null 2>&1 ||
      skip "Debian's package prometheus could not be downloaded"
  fi
  export PATH=$lanes/prometheus/usr/bin:$PATH
fi
prometheus --version 2>&1 | head -n 1
exec "$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/prometheus/*.test.ts'

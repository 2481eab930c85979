#!/usr/bin/env bash
# The web page in a real browser, against a real `spillway up`. Needs Chromium: installs Debian's
# if there is none and this user may.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  CHROMIUM=$(command -v "$name" || true)
  [ -n "$CHROMIUM" ] && break
done
if [ -z "$CHROMIUM" ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "no Chromium here, and it cannot be installed without root and apt-get"
    exit 77
  fi
  echo "browser: installing Debian's chromium"
  export DEBIAN_FRONTEND=noninteractive
  if ! { timeout 120 apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends chromium > /dev/null; }; then
    echo "no Chromium here, and apt-get could not install it"
    exit 77
  fi
  CHROMIUM=$(command -v chromium)
fi
export CHROMIUM
"$NODE" scripts/build-web.ts --if-stale

# axe-core (MPL-2.0) checks the page for screen readers. It is downloaded for the lane, and is no dependency of the project;
# without it its test is skipped and says why.
axe=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes/axe-core-4.14.1
if [ ! -f "$axe/axe.min.js" ]; then
  mkdir -p "$axe"
  (cd "$axe" && npm pack --silent axe-core@4.14.1 > /dev/null && tar -xzf axe-core-*.tgz --strip-components=1) ||
    echo "browser: axe-core could not be downloaded from the npm registry"
fi
[ ! -f "$axe/axe.min.js" ] || export AXE="$axe/axe.min.js"
"$NODE" --test --test-timeout=120000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/browser/*.test.ts'

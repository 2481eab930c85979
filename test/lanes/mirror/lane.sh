#!/usr/bin/env bash
# The lane "mirror": `spillway images` with a real registry, a pull-through mirror in front of it (Debian's
# docker-registry, unpacked and not installed), and a containerd of its own.
set -eu
skip() { echo "$1"; exit 77; }

[ "$(uname -s)" = Linux ] || skip "containerd runs on Linux only"
[ "$(id -u)" = 0 ] || skip "containerd needs root"
for program in containerd ctr buildah; do
  command -v "$program" > /dev/null && continue
  packages="containerd buildah"
  command -v apt-get > /dev/null || skip "there is no $program; on Debian it is in the packages $packages"
  { apt-get install -qq -y --no-install-recommends $packages || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages; }; } \
    > /dev/null 2>&1 || skip "there is no $program, and \"apt-get install $packages\" failed"
done
folder=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes/docker-registry
DOCKER_REGISTRY=$(command -v docker-registry || echo "$folder/usr/bin/docker-registry")
if [ ! -x "$DOCKER_REGISTRY" ]; then
  command -v apt-get > /dev/null || skip "no docker-registry, and no apt-get to download it"
  rm -rf "$folder" && mkdir -p "$folder"
  (cd "$folder" && { apt-get download -qq docker-registry || { apt-get update -qq && apt-get download -qq docker-registry; }; } &&
    dpkg -x docker-registry_*.deb . && rm ./*.deb) > /dev/null 2>&1 || skip "docker-registry cannot be downloaded"
fi
if ! HELM=$(command -v helm); then
  tools=$(scripts/kubernetes-tools.sh helm4 2>&1 | tail -n 1)
  [ -x "$tools/helm4" ] || skip "$tools"
  HELM=$tools/helm4
fi
export DOCKER_REGISTRY HELM
exec "$NODE" --test --test-timeout=120000 --test-reporter=./scripts/test-reporter.mjs test/lanes/mirror/*.test.ts

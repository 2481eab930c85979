#!/usr/bin/env bash
# Builds the image of the Dockerfile with buildah, as root, where there is neither Docker nor a registry: the two bases
# are made of this machine's Node, npm, busybox and C libraries.
#
#   scripts/image.sh -t spillway:0.1.0 [-o archive.tar] [-s sbom.json]
#
# -t   name and tag of the image
# -o   writes an archive, for "docker load" and "ctr images import"
# -s   writes the list of what is in the image (CycloneDX)
#
# NODE is the Node to build with and to put into the image. Layers are kept in ~/.cache/spillway-lanes/images.
# Exit status: 0 built, 77 cannot be built here (the last line says why), anything else: the build failed.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "$1" >&2; exit 77; }

tag= archive= sbom=
while getopts t:o:s: option; do
  case $option in
    t) tag=$OPTARG ;;
    o) archive=$(realpath -m "$OPTARG") ;;
    s) sbom=$(realpath -m "$OPTARG") ;;
    *) exit 2 ;;
  esac
done
[ -n "$tag" ] || { echo "image: -t is missing" >&2; exit 2; }
[ "$(id -u)" = 0 ] || skip "only root can build images here"
for program in buildah busybox npm; do
  command -v "$program" > /dev/null || skip "there is no $program"
done
if ldd "$(command -v busybox)" > /dev/null 2>&1; then
  skip "busybox is linked dynamically; the package busybox-static has one that is not"
fi
node=${NODE:-$(command -v node)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes
mkdir -p "$cache/images/run" "$cache/npm"
storage=(--root "$cache/images/root" --runroot "$cache/images/run" --storage-driver "${STORAGE_DRIVER:-overlay}")
exec 8> "$cache/images/.lock"
flock -w 900 8 || skip "another build in $cache/images has not ended within 15 minutes"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The bases: what Node needs to run, and the same with Node, npm and busybox.
libraries=$(ldd "$node" | grep -o '/[^ ]*')
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
certificates=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
version=$(cat $libraries "$node" "$npm/package.json" "$0" "$certificates" | sha256sum | cut -c 1-12)
run_base=localhost/spillway-base-run:$version build_base=localhost/spillway-base-build:$version
if ! buildah "${storage[@]}" inspect --type image "$build_base" > /dev/null 2>&1; then
  root=$work/run
  mkdir -p "$root"/{etc/ssl/certs,tmp,proc,sys,dev,usr/local/bin}
  chmod 1777 "$root/tmp"
  cp --parents -L $libraries "$root"
  cp -L "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' > "$root/etc/passwd"
  cp -a "$root" "$work/build"
  root=$work/build
  mkdir -p "$root"/{bin,root,usr/local/lib/node_modules,usr/bin}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for name in $("$root/bin/busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"; done
  ln -s /bin/env "$root/usr/bin/env"
  cp "$node" "$root/usr/local/bin/node"
  cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  for part in run build; do
    container=$(buildah "${storage[@]}" from scratch)
    buildah "${storage[@]}" add -q "$container" "$work/$part" / > /dev/null
    buildah "${storage[@]}" config --env PATH=/usr/local/bin:/usr/bin:/bin --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$container"
    [ "$part" = build ] || buildah "${storage[@]}" config --env NODE_EXTRA_CA_CERTS- "$container"
    buildah "${storage[@]}" commit -q --rm "$container" "localhost/spillway-base-$part:$version" > /dev/null
  done
fi

# Without isolation by a runtime, which would need rights that a container on a CI machine lacks.
buildah "${storage[@]}" build --layers --isolation chroot --network host --pull-never \
  --build-arg "NODE=$build_base" --build-arg "BASE=$run_base" --volume "$cache/npm:/root/.npm" \
  --tag "$tag" . >&2

if [ -n "$archive" ]; then
  rm -f "$archive"
  buildah "${storage[@]}" push -q "$tag" "docker-archive:$archive:$tag"
fi
if [ -n "$sbom" ]; then
  container=$(buildah "${storage[@]}" from --pull-never "$tag")
  cat "$(buildah "${storage[@]}" mount "$container")/app/sbom.cdx.json" > "$sbom"
  buildah "${storage[@]}" rm "$container" > /dev/null
fi
buildah "${storage[@]}" images --filter "reference=$tag" --format '{{.Name}}:{{.Tag}} {{.Size}}'

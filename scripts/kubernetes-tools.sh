#!/usr/bin/env bash
# Builds the programs of the lanes that need Kubernetes, from the Go module test/support/kubernetes/tools, and prints
# the folder where they are.
#
#   scripts/kubernetes-tools.sh                    all programs
#   scripts/kubernetes-tools.sh helm3 helm4        these programs only
#
# helm3, helm4   Helm 3.21 and 4.2
# kwok           nodes and pods that exist only in the API
# kube           etcd, control plane, kubelet, kube-proxy and kubectl in one binary, with a link for each name
#
# The folder is ~/.cache/spillway-lanes/kubernetes-HASH, or below KUBERNETES_TOOLS if that is set. HASH changes with the
# module and the version of Go. From nothing the build takes about 11 minutes of CPU time, 1 GB for the modules and
# 4 GB for Go's cache; the programs take 0.4 GB. Two callers at once build once. Exit status: 0 built, 77 cannot be
# built here (the last line says why), anything else: the build failed.
set -euo pipefail
cd "$(dirname "$0")/../test/support/kubernetes/tools"
skip() { echo "$1" >&2; exit 77; }

programs=("$@")
[ $# -gt 0 ] || programs=(helm3 helm4 kwok kube)
declare -A packages=(
  [helm3]=helm.sh/helm/v3/cmd/helm
  [helm4]=helm.sh/helm/v4/cmd/helm
  [kwok]=sigs.k8s.io/kwok/cmd/kwok
  [kube]=./kube
)
names_of_kube=(etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)

go=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$go" ] || skip "no Go: neither go on PATH nor /usr/local/go/bin/go"
go_wanted=$(sed -n 's/^go //p' go.mod)
go_here=$("$go" env GOVERSION | sed 's/^go//')
[ "$(printf '%s\n' "$go_wanted" "${go_here%% *}" | sort -V | head -n 1)" = "$go_wanted" ] ||
  skip "Go $go_here is older than $go_wanted"

hash=$({ cat go.mod go.sum kube/main.go; echo "$go_here"; } | sha256sum | cut -c 1-12)
root=${KUBERNETES_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes}
folder=$root/kubernetes-$hash
mkdir -p "$folder"

# Without the lock, so that nobody waits for somebody else's build of another program.
missing=
for program in "${programs[@]}"; do
  [ -x "$folder/$program" ] || missing=$program
  [ "$program" != kube ] || [ -x "$folder/${names_of_kube[-1]}" ] || missing=$program
done
if [ -z "$missing" ]; then echo "$folder"; exit; fi

exec 8> "$folder/.lock"
flock -w 1500 8 || skip "another build in $folder has not ended within 25 minutes"

kubernetes=$(sed -n 's/^\tk8s.io\/kubernetes v//p' go.mod)
version=k8s.io/component-base/version
flags=(-s -w -X "$version.gitVersion=v$kubernetes" -X "$version.gitMajor=1" -X "$version.gitMinor=$(cut -d . -f 2 <<< "$kubernetes")")
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local

for program in "${programs[@]}"; do
  package=${packages[$program]:?no program of this name: helm3, helm4, kwok or kube}
  [ ! -x "$folder/$program" ] || continue
  if [ ! -f "$folder/.downloaded" ]; then
    # The modules take 1 GB, Go's cache 4 GB.
    for cache in "$("$go" env GOMODCACHE)" "$("$go" env GOCACHE)"; do
      mkdir -p "$cache"
      free_mib=$(($(df -Pk "$cache" | awk 'NR == 2 { print $4 }') / 1024))
      [ "$free_mib" -ge 6144 ] || skip "$cache has $free_mib MiB left; Go needs 6,144 to build Kubernetes"
    done
    log=$("$go" mod download 2>&1) || skip "the Go modules cannot be fetched: $(tail -n 1 <<< "$log")"
    touch "$folder/.downloaded"
  fi
  echo "building $program" >&2
  nice -n 5 "$go" build -p 2 -trimpath -ldflags "${flags[*]}" -o "$folder/$program.new" "$package" >&2
  mv "$folder/$program.new" "$folder/$program"
done
if [ -x "$folder/kube" ]; then
  for name in "${names_of_kube[@]}"; do ln -sf kube "$folder/$name"; done
fi
echo "$folder"

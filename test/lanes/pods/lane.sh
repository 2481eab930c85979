#!/usr/bin/env bash
# The lane "pods": the workflow on a cluster with real pods. Control plane, kubelet and kube-proxy of Kubernetes 1.36 run beside
# containerd and runc in namespaces of their own, with the image of the Dockerfile. Nothing is left when they end.
# scripts/kubernetes-tools.sh builds the programs of Kubernetes, scripts/image.sh the image.
set -u
skip() { echo "$1"; exit 77; }

[ "$(uname -s)" = Linux ] || skip "pods need Linux"
[ "$(id -u)" = 0 ] || skip "only root can start containers here"
missing=()
for program in containerd runc buildah iptables conntrack busybox ip unshare nsenter; do
  command -v "$program" > /dev/null || missing+=("$program")
done
[ -x /usr/lib/cni/ptp ] || missing+=(/usr/lib/cni/ptp)
if [ ${#missing[@]} -gt 0 ]; then
  packages="containerd runc buildah containernetworking-plugins iptables conntrack busybox-static iproute2 util-linux"
  command -v apt-get > /dev/null || skip "there is no ${missing[*]}; on Debian they are in the packages $packages"
  { apt-get install -qq -y --no-install-recommends $packages || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages; }; } \
    > /dev/null 2>&1 || skip "there is no ${missing[*]}, and \"apt-get install $packages\" failed"
fi

# What containers need of the machine: the first thing that cannot be had is the reason to skip.
probe() { "${@:2}" > /dev/null 2>&1 || skip "$1: \"${*:2}\" failed"; }
probe "no namespaces for network, mounts and processes" unshare -m -n -p -f --mount-proc true
probe "no network of its own" unshare -n ip link add probe type veth
probe "no translation of addresses" unshare -n iptables -t nat -L -n
probe "no overlay file system" grep -qw overlay /proc/filesystems
cgroup=spillway-pods-$$
folders=()
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  folders=("/sys/fs/cgroup/$cgroup")
else
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    [ ! -d "/sys/fs/cgroup/$controller" ] || folders+=("/sys/fs/cgroup/$controller/$cgroup")
  done
fi
remove_cgroups() { for folder in "${folders[@]}"; do [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2> /dev/null; done; }
trap remove_cgroups EXIT
for folder in "${folders[@]}"; do probe "no writable cgroups" mkdir "$folder"; done

reason=$(mktemp)
TOOLS=$(scripts/kubernetes-tools.sh kube helm3 2> "$reason")
status=$?
cat "$reason"
[ "$status" -eq 0 ] || { rm -f "$reason"; exit "$status"; }
work=$(mktemp -d)
trap 'remove_cgroups; rm -rf "$work" "$reason"' EXIT

NODE=$NODE scripts/image.sh -t localhost/spillway:test -o "$work/spillway.tar" 2> "$reason"
status=$?
[ "$status" -eq 0 ] || { tail -n 20 "$reason"; exit "$status"; }
# The container that holds the namespaces of a pod does nothing but wait.
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
container=$(buildah "${storage[@]}" from scratch) &&
  buildah "${storage[@]}" copy -q "$container" "$(command -v busybox)" /busybox > /dev/null &&
  buildah "${storage[@]}" config --entrypoint '["/busybox","sleep","2147483647"]' "$container" &&
  buildah "${storage[@]}" commit -q --rm "$container" localhost/pause:1 > /dev/null &&
  buildah "${storage[@]}" push -q localhost/pause:1 "docker-archive:$work/pause.tar:localhost/pause:1" ||
  skip "the image of the pause container cannot be built"

export LOAD_LOG=${LOAD_LOG:-$work/load.log}
export TOOLS HELM="$TOOLS/helm3" CGROUP="/$cgroup" ARCHIVES="$work/pause.tar:$work/spillway.tar"
# Each file has namespaces of its own, since each builds the same network. The shell stays process 1, which collects what containers leave.
status=0
for file in test/lanes/pods/*.test.ts; do
  unshare -m -n -p -f --mount-proc --kill-child bash -c '"$@"; exit $?' pods \
    "$NODE" --test --test-timeout=900000 --test-reporter=./scripts/test-reporter.mjs "$file" || status=1
  for folder in "${folders[@]}"; do find "$folder" -mindepth 1 -depth -type d -exec rmdir {} + 2> /dev/null; done
done
# What the tests measured, and when which step began.
[ ! -f "$LOAD_LOG" ] || cat "$LOAD_LOG"
exit "$status"

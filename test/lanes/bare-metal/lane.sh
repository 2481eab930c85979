#!/usr/bin/env bash
# The lane "bare-metal": stacks on two hosts that systemd runs and OpenSSH serves, each a container of this machine's files with
# a layer of its own, at 127.0.0.2 and 127.0.0.3. Needs Linux, root, systemd-nspawn and sshd. Nothing is left when it ends.
set -u
skip() { echo "$1"; exit 77; }

[ "$(uname -s)" = Linux ] || skip "systemd needs Linux"
[ "$(id -u)" = 0 ] || skip "only root can start containers here"
missing=()
for program in systemd-nspawn /usr/sbin/sshd ssh ssh-keygen curl systemd-analyze; do
  command -v "$program" > /dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
  packages="systemd systemd-container openssh-server openssh-client curl"
  command -v apt-get > /dev/null || skip "there is no ${missing[*]}; on Debian they are in the packages $packages"
  # The package would start a server on this machine, which nobody asked for.
  own_policy=
  [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && own_policy=1; }
  { apt-get install -qq -y --no-install-recommends $packages || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages; }; } \
    > /dev/null 2>&1
  status=$?
  [ -z "$own_policy" ] || rm -f /usr/sbin/policy-rc.d
  [ "$status" -eq 0 ] || skip "there is no ${missing[*]}, and \"apt-get install $packages\" failed"
fi

work=$(mktemp -d /var/tmp/spillway-hosts-XXXXXX)
machines=()
cleanup() {
  for pid in "${machines[@]}"; do kill "$pid" 2> /dev/null; done
  for pid in "${machines[@]}"; do
    # A container that does not end within ten seconds is killed.
    timeout 10 tail --pid="$pid" -f /dev/null || kill -9 "$pid" 2> /dev/null
  done
  umount "$work"/*/root "$work"/layers 2> /dev/null
  rm -rf "$work"
}
trap cleanup EXIT

# An overlay cannot have its upper layer on another one: a container's own files often are one.
mkdir "$work/layers"
mount -t tmpfs -o size=1g tmpfs "$work/layers" 2> /dev/null || skip "no file system can be mounted here"
ssh-keygen -q -t ed25519 -N '' -f "$work/key"
start() {
  local name=$1 address=$2 port=$3 layer="$work/layers/$1"
  mkdir -p "$layer/upper/etc/ssh" "$layer/upper/root/.ssh" "$layer/upper/etc/systemd/system" "$layer/work" "$work/$name/root"
  # The machine starts sshd and what a basic system needs, and none of this machine's own services.
  printf '[Unit]\nRequires=basic.target dbus.service ssh.service\nAfter=basic.target\n' > "$layer/upper/etc/systemd/system/lane.target"
  for unit in apt-daily.timer apt-daily-upgrade.timer man-db.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
    ln -s /dev/null "$layer/upper/etc/systemd/system/$unit"
  done
  printf 'Port %s\nListenAddress %s\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\n' "$port" "$address" \
    > "$layer/upper/etc/ssh/sshd_config"
  ssh-keygen -q -t ed25519 -N '' -f "$layer/upper/etc/ssh/ssh_host_ed25519_key"
  cp "$work/key.pub" "$layer/upper/root/.ssh/authorized_keys"
  chmod 700 "$layer/upper/root/.ssh"
  echo "[$address]:$port $(cut -d' ' -f1,2 "$layer/upper/etc/ssh/ssh_host_ed25519_key.pub")" >> "$work/known_hosts"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$work/$name/root" 2> "$work/problem" ||
    skip "no overlay of this machine's files: $(cat "$work/problem")"
  systemd-nspawn --quiet --directory="$work/$name/root" --machine="spillway-$name-$$" --boot --register=no --keep-unit \
    --console=read-only --bind-ro="$PWD:/opt/spillway" --bind-ro="$(dirname "$NODE"):/opt/node" \
    systemd.unit=lane.target > "$work/$name.log" 2>&1 &
  machines+=("$!")
}
start one 127.0.0.2 22022
start two 127.0.0.3 22022

printf 'Host *\n  IdentityFile %s\n  UserKnownHostsFile %s\n' "$work/key" "$work/known_hosts" > "$work/ssh_config"
# "ssh" of the lane's PATH has the lane's keys; the programs under test know nothing of them.
mkdir "$work/bin"
printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$work/ssh_config" > "$work/bin/ssh"
chmod +x "$work/bin/ssh"
export PATH="$work/bin:$PATH" HOSTS=root@127.0.0.2:22022,root@127.0.0.3:22022
for name in one two; do
  address=127.0.0.2; [ "$name" = one ] || address=127.0.0.3
  for _ in $(seq 60); do
    ssh -o BatchMode=yes -o ConnectTimeout=5 -p 22022 "root@$address" true 2> "$work/problem" && break
    sleep 1
  done
  ssh -o BatchMode=yes -p 22022 "root@$address" true 2> /dev/null ||
    skip "systemd does not start in a container here: $(cat "$work/problem") $(tail -n 2 "$work/$name.log" | tr -d '\r\033' | tr '\n' ' ')"
done

"$NODE" --test --test-timeout=300000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/bare-metal/*.test.ts'

// A real node of a cluster, with a kubelet, containerd and runc: pods on it are processes of this machine, in networks of
// their own. Each node has its own mounts, so that several run beside each other with the usual paths. The caller's
// network and process namespaces hold the rest: the node leaves nothing when they end.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from '../../../src/io/processes/index.ts';

export interface RealNodeOptions {
  readonly name: string;
  /** An address of this machine, which only this node has. */
  readonly address: string;
  /** Network of its pods: the first three numbers of a /24. */
  readonly podNetwork: string;
  /** For its files. */
  readonly folder: string;
  readonly tools: string;
  /** Of the kubelet. */
  readonly kubeconfig: string;
  readonly clusterDns: string;
  /** Path below the root of each cgroup controller. */
  readonly cgroup: string;
  /** Archives of the images that pods use. */
  readonly archives: readonly string[];
  readonly onLine: (line: string) => void;
}

const cgroupControllers = [
  ...['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids', 'systemd'],
];
const importTimeoutMs = 120_000;
const stopGraceMs = 2_000;

/**
 * The usual folders of a node are empty ones of its own, and so are the settings of the kernel that a kubelet changes: those
 * of the machine stay as they are.
 */
const privateMounts = `
set -e
mount --make-rshared /
for folder in /run /var/log; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount --bind "$1" /var/lib
mkdir -p /var/lib/containerd /var/lib/kubelet /run/containerd /run/settings
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=/run/settings/$(echo $setting | tr / -)
  cat /proc/sys/$setting > $copy
  mount --bind $copy /proc/sys/$setting
done
shift
exec "$@"
`;

export class RealNode {
  readonly #options: RealNodeOptions;
  #containerd: Child | undefined;
  #kubelet: Child | undefined;

  constructor(options: RealNodeOptions) {
    this.#options = options;
  }

  /** Starts containerd and loads the images; then the kubelet, which makes the node known to the cluster. */
  async start(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(join(folder, 'var-lib'), { recursive: true });
    await mkdir(join(folder, 'cni'), { recursive: true });
    await writeFile(join(folder, 'cni', '10-pods.conflist'), this.#networkConfiguration());
    await writeFile(join(folder, 'containerd.toml'), this.#containerdConfiguration());
    await writeFile(join(folder, 'kubelet.json'), this.#kubeletConfiguration());
    await writeFile(join(folder, 'resolv.conf'), '');
    await this.#makeCgroups();
    const enter = ['-m', 'sh', '-c', privateMounts, 'node', join(folder, 'var-lib')];
    this.#containerd = this.#run('containerd', 'unshare', [
      ...enter,
      ...['containerd', '--config', join(folder, 'containerd.toml')],
    ]);
    for (const archive of this.#options.archives) await this.#import(archive);
    this.#kubelet = this.#run('kubelet', 'nsenter', [
      ...['-m', '-t', String(this.#containerd.pid), join(this.#options.tools, 'kubelet')],
      ...['--config', join(folder, 'kubelet.json'), '--kubeconfig', this.#options.kubeconfig],
      ...['--hostname-override', this.#options.name, '--node-ip', this.#options.address],
      '--v=1',
    ]);
  }

  /** Gives an image another name, as if it had been pulled. */
  async tag(image: string, name: string): Promise<void> {
    await this.#ctr(['images', 'tag', image, name]);
  }

  /** Ids of the containers that run. */
  async containers(): Promise<readonly string[]> {
    const list = await this.#ctr(['tasks', 'list', '--quiet']);
    return list.split('\n').filter((line) => line !== '');
  }

  async stop(): Promise<void> {
    await this.#kubelet?.stop(stopGraceMs);
    await this.#containerd?.stop(stopGraceMs);
  }

  /** The kubelet wants its root in every hierarchy. */
  async #makeCgroups(): Promise<void> {
    const { cgroup } = this.#options;
    const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const roots = version2 ? [''] : cgroupControllers;
    for (const root of roots) {
      const parent = join('/sys/fs/cgroup', root, dirname(cgroup));
      if (existsSync(parent)) await mkdir(join(parent, basename(cgroup)), { recursive: true });
    }
  }

  get #socket(): string {
    return join(this.#options.folder, 'containerd.sock');
  }

  async #import(archive: string): Promise<void> {
    const deadline = performance.now() + importTimeoutMs;
    // containerd answers some hundred milliseconds after its start.
    while (true) {
      try {
        await this.#ctr(['version']);
        break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    await this.#ctr(['images', 'import', archive]);
  }

  async #ctr(args: readonly string[]): Promise<string> {
    const command = ['-m', '-t', String(this.#containerd?.pid), 'ctr', '-a', this.#socket];
    const { stdout } = await promisify(execFile)('nsenter', [...command, '-n', 'k8s.io', ...args], {
      timeout: importTimeoutMs,
    });
    return stdout;
  }

  #run(program: string, command: string, args: readonly string[]): Child {
    const name = `${this.#options.name}/${program}`;
    return new Child({ name, command, args, lifeline: 'guard' }, (_stream, line) => {
      this.#options.onLine(`${name}: ${line}`);
    });
  }

  /** Routed rather than bridged: a reply to another pod passes the translation of Service addresses in any case. */
  #networkConfiguration(): string {
    const { podNetwork } = this.#options;
    return JSON.stringify({
      ...{ cniVersion: '0.4.0', name: 'pods' },
      plugins: [
        {
          ...{ type: 'ptp', ipMasq: false },
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: `${podNetwork}.0/24` }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
      ],
    });
  }

  #containerdConfiguration(): string {
    const { folder } = this.#options;
    const cri = 'plugins."io.containerd.grpc.v1.cri"';
    return `
version = 2
[grpc]
  address = "${this.#socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[${cri}]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
[${cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${folder}/cni"
[${cri}.containerd]
  snapshotter = "overlayfs"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  BinaryName = "/usr/sbin/runc"
  SystemdCgroup = false
`;
  }

  #kubeletConfiguration(): string {
    const { address, cgroup, clusterDns, folder } = this.#options;
    return JSON.stringify({
      ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
      ...{ address, healthzPort: 0, cgroupRoot: cgroup, cgroupDriver: 'cgroupfs' },
      // Debian 12 and many CI machines have version 1.
      failCgroupV1: false,
      // Nobody else is in this network.
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: 'AlwaysAllow' },
      ...{ clusterDNS: [clusterDns], clusterDomain: 'cluster.local' },
      resolvConf: join(folder, 'resolv.conf'),
      ...{ failSwapOn: false, imageGCHighThresholdPercent: 100 },
      evictionHard: { 'memory.available': '200Mi' },
      containerRuntimeEndpoint: `unix://${this.#socket}`,
      // Pods of a rollout start together.
      ...{ serializeImagePulls: false, registryPullQPS: 0 },
    });
  }
}

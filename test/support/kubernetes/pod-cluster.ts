// A cluster with real pods: control plane, DNS, kube-proxy and nodes that run containers. It must have namespaces of its own
// for network, mounts and processes (test/lanes/pods/lane.sh makes them), and leaves nothing when they end.
import { execFile } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Child } from '../../../src/io/processes/index.ts';
import { until } from '../until.ts';
import { ClusterDns } from './cluster-dns.ts';
import { ControlPlane } from './control-plane.ts';
import { RealNode } from './real-node.ts';

export interface PodClusterOptions {
  /** Folder that scripts/kubernetes-tools.sh prints. */
  readonly tools: string;
  /** Number of nodes. */
  readonly nodes: number;
  /** Archives of the images that pods use, one of them the sandbox's `localhost/pause:1`. */
  readonly archives: readonly string[];
  /** A folder below the root of each cgroup controller, which exists. */
  readonly cgroup: string;
}

/** Addresses of the control plane and of the nodes, on an interface that leads nowhere. */
const network = '10.250.0';
const controlPlaneAddress = `${network}.1`;
const stopGraceMs = 2_000;
const logLines = 120;

export class PodCluster {
  readonly controlPlane: ControlPlane;
  readonly nodes: readonly RealNode[];
  readonly #folder: string;
  readonly #children: Child[] = [];
  #dns: ClusterDns | undefined;

  static async start(options: PodClusterOptions): Promise<PodCluster> {
    await prepareNetwork(options.nodes);
    const controlPlane = await ControlPlane.start({
      ...{ tools: options.tools, controllers: true, address: controlPlaneAddress },
    });
    const cluster = new PodCluster(controlPlane, options);
    try {
      await cluster.#start(options);
      return cluster;
    } catch (error) {
      const log = cluster.log();
      await cluster.close();
      throw new Error(`the nodes did not start; their last lines:\n${log}`, { cause: error });
    }
  }

  private constructor(controlPlane: ControlPlane, options: PodClusterOptions) {
    this.controlPlane = controlPlane;
    this.#folder = mkdtempSync(join(tmpdir(), 'spillway-pods-'));
    const { tools, cgroup, archives } = options;
    this.nodes = Array.from({ length: options.nodes }, (_, index) => {
      const name = `node-${index + 1}`;
      return new RealNode({
        ...{ name, tools, cgroup: join(cgroup, name), archives },
        ...{ address: nodeAddress(index), podNetwork: `10.244.${index + 1}` },
        ...{ folder: join(this.#folder, name), kubeconfig: controlPlane.kubeconfig },
        clusterDns: controlPlaneAddress,
        onLine: (line) => this.#log(line),
      });
    });
  }

  /** The last lines of nodes and kube-proxy. */
  log(): string {
    try {
      return readFileSync(this.#logFile, 'utf8').split('\n').slice(-logLines).join('\n');
    } catch {
      return '';
    }
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.stop();
    for (const child of this.#children) await child.stop(stopGraceMs);
    this.#dns?.close();
    await this.controlPlane.close();
    // Mounts of containers are in the namespaces of their nodes.
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #start({ tools }: PodClusterOptions): Promise<void> {
    this.#dns = await ClusterDns.start(this.controlPlane, controlPlaneAddress);
    await Promise.all(this.nodes.map((node) => node.start()));
    await until(async () => {
      const { items } = await this.controlPlane.expect('GET', '/api/v1/nodes');
      return (items as readonly NodeObject[]).filter(isReady).length === this.nodes.length;
    });
    // It wants its node.
    const proxy = join(this.#folder, 'kube-proxy.json');
    await writeFile(proxy, JSON.stringify(proxyConfiguration(this.controlPlane.kubeconfig)));
    this.#run('kube-proxy', join(tools, 'kube-proxy'), ['--config', proxy, '--v=1']);
  }

  #run(name: string, command: string, args: readonly string[]): void {
    const child = new Child({ name, command, args, lifeline: 'guard' }, (_stream, line) => {
      this.#log(`${name}: ${line}`);
    });
    this.#children.push(child);
  }

  get #logFile(): string {
    return join(this.#folder, 'log');
  }

  #log(line: string): void {
    appendFileSync(this.#logFile, `${line}\n`);
  }
}

interface NodeObject {
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

function isReady({ status }: NodeObject): boolean {
  return status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
}

function nodeAddress(index: number): string {
  return `${network}.${11 + index}`;
}

async function prepareNetwork(nodes: number): Promise<void> {
  const ip = (...args: string[]) => promisify(execFile)('ip', args);
  await ip('link', 'set', 'lo', 'up');
  // A cable from this network to itself: addresses of an interface without a carrier have no route.
  await ip('link', 'add', 'nodes', 'type', 'veth', 'peer', 'name', 'nodes-end');
  await ip('address', 'add', `${controlPlaneAddress}/24`, 'dev', 'nodes');
  for (let index = 0; index < nodes; index++) {
    await ip('address', 'add', `${nodeAddress(index)}/24`, 'dev', 'nodes');
  }
  await ip('link', 'set', 'nodes-end', 'up');
  await ip('link', 'set', 'nodes', 'up');
  // Programs look for the address of the default route.
  await ip('route', 'add', 'default', 'dev', 'nodes', 'src', controlPlaneAddress);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
}

function proxyConfiguration(kubeconfig: string): object {
  return {
    ...{ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' },
    ...{ mode: 'iptables', clusterCIDR: '10.244.0.0/16', hostnameOverride: 'node-1' },
    clientConnection: { kubeconfig },
    // The kernel's settings for connections are those of the whole machine.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '100ms' },
    ...{ healthzBindAddress: '127.0.0.1:10256', metricsBindAddress: '127.0.0.1:10249' },
  };
}

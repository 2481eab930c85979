// A real control plane on free loopback ports: etcd and the API server, with controllers, scheduler and fake nodes where
// they are asked for. Everything ends with it, also if the test is killed.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, freePorts } from '../../../src/io/processes/index.ts';
import { kwokConfiguration } from './kwok-stages.ts';

export interface ControlPlaneOptions {
  /** Folder that scripts/kubernetes-tools.sh prints. */
  readonly tools: string;
  /**
   * Whether controllers, scheduler and kwok run, too. Without them, pods are objects whose status the test writes, and
   * the API server starts in half of the time. @default false
   */
  readonly controllers?: boolean | undefined;
  /**
   * An address of this machine that pods of real nodes reach. With it, kwok is left out.
   * @default none: the API server listens on the loopback address only, and nodes are fake
   */
  readonly address?: string | undefined;
}

interface ApiResponse {
  readonly status: number;
  readonly body: string;
}

/** From nothing to a ready API server takes 4 s on an idle machine. */
const readyTimeoutMs = 180_000;
/** An API server that is stopped waits up to a minute for watches to end. */
const stopGraceMs = 5_000;
const pollMs = 50;
const requestTimeoutMs = 30_000;

export class ControlPlane {
  /** Of the administrator; also for kubectl and helm, as `KUBECONFIG`. */
  readonly kubeconfig: string;
  /** https://127.0.0.1:port, or the address of the options */
  readonly url: string;
  readonly #folder: string;
  readonly #options: ControlPlaneOptions;
  readonly #ports: readonly number[];
  readonly #token = randomBytes(16).toString('hex');
  readonly #children = new Map<string, Child>();
  #authority = '';

  /** Starts it; resolves when the API server is ready, and the default service account exists if there are controllers. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'spillway-cluster-'));
    const plane = new ControlPlane(options, folder, await freePorts(6));
    try {
      await plane.#start();
      return plane;
    } catch (error) {
      const log = await plane.log();
      await plane.close();
      throw new Error(`the control plane did not start; its last lines:\n${log}`, { cause: error });
    }
  }

  private constructor(options: ControlPlaneOptions, folder: string, ports: readonly number[]) {
    this.#options = options;
    this.#folder = folder;
    this.#ports = ports;
    this.url = `https://${options.address ?? '127.0.0.1'}:${ports[0]}`;
    this.kubeconfig = join(folder, 'admin.kubeconfig');
  }

  /** Certificate authority of the API server, in PEM. */
  get authority(): string {
    return this.#authority;
  }

  /**
   * Sends a request as administrator.
   *
   * @param token Of another user.
   */
  async ask(
    method: string,
    path: string,
    body?: object,
    token = this.#token,
  ): Promise<ApiResponse> {
    const isPatch = method === 'PATCH';
    const text = body === undefined ? '' : JSON.stringify(body);
    const sent = request(`${this.url}${path}`, {
      ...{ method, ca: this.#authority, signal: AbortSignal.timeout(requestTimeoutMs) },
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': isPatch ? 'application/merge-patch+json' : 'application/json',
        // Node does not say by itself how long the body of a DELETE is.
        'content-length': Buffer.byteLength(text),
      },
    });
    sent.end(text);
    const [response] = await once(sent, 'response');
    let answer = '';
    for await (const chunk of response.setEncoding('utf8')) answer += chunk;
    return { status: response.statusCode, body: answer };
  }

  /** As `ask`; an error unless the status is 2xx. */
  async expect(
    method: string,
    path: string,
    body?: object,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { status, body: text } = await this.ask(method, path, body);
    if (status >= 200 && status < 300) return JSON.parse(text);
    throw new Error(`${method} ${path}: status ${status}: ${text.slice(0, 500)}`);
  }

  /** A token of a service account, as the kubelet mounts it. */
  async tokenOf(namespace: string, account: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
    const { status } = await this.expect('POST', path, {
      ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    });
    return (status as { readonly token: string }).token;
  }

  /** Stops the API server only; its clients are refused. */
  async stopApiServer(): Promise<void> {
    await this.#stop('kube-apiserver');
  }

  /** Starts it again, on the same port and with the same data; resolves when it is ready. */
  async startApiServer(): Promise<void> {
    const [api, etcd] = this.#ports;
    const { controllers = false, address } = this.#options;
    this.#run('kube-apiserver', [
      ...(address === undefined
        ? ['--bind-address=127.0.0.1']
        : ['--bind-address=0.0.0.0', `--advertise-address=${address}`]),
      ...[`--secure-port=${api}`, `--cert-dir=${this.#folder}/api`],
      '--kubelet-preferred-address-types=InternalIP',
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      `--token-auth-file=${this.#folder}/tokens.csv`,
      '--authorization-mode=Node,RBAC',
      `--service-account-key-file=${this.#folder}/sa.pub`,
      `--service-account-signing-key-file=${this.#folder}/sa.key`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      '--service-cluster-ip-range=10.96.0.0/16',
      // Controllers create the service accounts without which pods are refused.
      ...(controllers ? [] : ['--disable-admission-plugins=ServiceAccount']),
      // The health checks and bootstrap of a real one, without priority queues for a handful of clients.
      ...['--enable-priority-and-fairness=false', '--profiling=false', '--v=1'],
    ]);
    await this.#until('the API server is ready', async () => {
      this.#authority = await readFile(join(this.#folder, 'api', 'apiserver.crt'), 'utf8');
      return (await this.ask('GET', '/readyz')).status === 200;
    });
  }

  /** Compacts etcd's history up to now: what happened before can no longer be watched. */
  async compact(): Promise<void> {
    const etcd = `http://127.0.0.1:${this.#ports[1]}/v3/kv`;
    const post = async (path: string, body: object) => {
      const response = await fetch(`${etcd}/${path}`, {
        ...{ method: 'POST', body: JSON.stringify(body) },
        signal: AbortSignal.timeout(requestTimeoutMs),
      });
      if (!response.ok)
        throw new Error(`etcd ${path}: ${response.status}: ${await response.text()}`);
      return (await response.json()) as { readonly header: { readonly revision: string } };
    };
    const { header } = await post('range', { key: Buffer.from('/').toString('base64') });
    await post('compaction', { revision: header.revision });
  }

  /** The last lines of every process. */
  async log(): Promise<string> {
    const text = await readFile(join(this.#folder, 'log'), 'utf8').catch(() => '');
    return text.split('\n').slice(-60).join('\n');
  }

  /** Stops everything, clients before servers, and removes its data. */
  async close(): Promise<void> {
    for (const name of [...this.#children.keys()].reverse()) await this.#stop(name);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    await this.#writeFiles();
    const [, etcd, peer] = this.#ports;
    const [client, peers] = [`http://127.0.0.1:${etcd}`, `http://127.0.0.1:${peer}`];
    this.#run('etcd', [
      ...['--data-dir', join(this.#folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `default=${peers}`],
    ]);
    await this.#until('etcd is ready', async () => (await fetch(`${client}/health`)).ok);
    await this.startApiServer();
    await this.#writeKubeconfig();
    if (this.#options.controllers) await this.#startControllers();
  }

  async #startControllers(): Promise<void> {
    const [, , , controllers, scheduler, kwok] = this.#ports;
    const config = this.kubeconfig;
    const common = [
      ...[`--kubeconfig=${config}`, `--authentication-kubeconfig=${config}`],
      ...[
        `--authorization-kubeconfig=${config}`,
        '--leader-elect=false',
        '--bind-address=127.0.0.1',
      ],
    ];
    this.#run('kube-controller-manager', [
      ...[
        ...common,
        `--secure-port=${controllers}`,
        `--root-ca-file=${this.#folder}/api/apiserver.crt`,
      ],
      `--service-account-private-key-file=${this.#folder}/sa.key`,
      '--use-service-account-credentials=true',
    ]);
    this.#run('kube-scheduler', [...common, `--secure-port=${scheduler}`]);
    if (this.#options.address === undefined) {
      this.#run('kwok', [
        ...['--config', join(this.#folder, 'kwok.yaml'), '--kubeconfig', config],
        ...['--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake'],
        ...['--node-ip=127.0.0.1', `--node-port=${kwok}`],
      ]);
    }
    await this.#until('the default service account exists', async () => {
      const account = `/api/v1/namespaces/default/serviceaccounts/default`;
      return (await this.ask('GET', account)).status === 200;
    });
  }

  async #writeFiles(): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    await mkdir(join(this.#folder, 'api'));
    const write = (name: string, text: string) =>
      writeFile(join(this.#folder, name), text, { mode: 0o600 });
    await write('sa.key', privateKey);
    await write('sa.pub', publicKey);
    await write('tokens.csv', `${this.#token},admin,admin,system:masters\n`);
    await write('kwok.yaml', kwokConfiguration);
  }

  /** JSON is YAML. */
  async #writeKubeconfig(): Promise<void> {
    const data = Buffer.from(this.#authority).toString('base64');
    const cluster = { server: this.url, 'certificate-authority-data': data };
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'admin', user: { token: this.#token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    };
    await writeFile(this.kubeconfig, JSON.stringify(config), { mode: 0o600 });
  }

  #run(name: string, args: readonly string[]): void {
    const command = join(this.#options.tools, name);
    const child = new Child({ name, command, args, lifeline: 'guard' }, (_stream, line) => {
      appendFileSync(join(this.#folder, 'log'), `${name}: ${line}\n`);
    });
    this.#children.set(name, child);
  }

  async #stop(name: string): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    await child?.stop(stopGraceMs);
  }

  /** Asks until it holds; an error once a process has ended, or the time is over. */
  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + readyTimeoutMs;
    let ended: string | undefined;
    for (const [name, child] of this.#children) {
      void child.exited.then(({ description }) => {
        ended ??= `${name}: ${description}`;
      });
    }
    while (!(await holds().catch(() => false))) {
      if (ended !== undefined) throw new Error(`${what}: ${ended}`);
      if (performance.now() > deadline) throw new Error(`${what}: not within ${readyTimeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

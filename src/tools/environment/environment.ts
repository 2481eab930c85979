// What a result was measured on: machine, limits, GPUs, drivers, container runtimes and engines.

/** Null where this machine does not say. */
export interface Environment {
  readonly spillway: string;
  readonly node: string;
  readonly os: {
    readonly name: string | null;
    readonly kernel: string;
    readonly architecture: string;
    /** Such as KVM, Docker or WSL; null on the machine itself. */
    readonly virtualization: string | null;
  };
  readonly cpu: {
    readonly model: string | null;
    readonly count: number;
    /** What a container may use; null without a limit. */
    readonly limit: number | null;
    /** Load average of the last minute. */
    readonly load: number;
  };
  readonly memory: {
    readonly bytes: number;
    /** What a container may use; null without a limit. */
    readonly limitBytes: number | null;
  };
  readonly gpus: readonly Gpu[];
  /** Version of each that is installed, such as docker. */
  readonly containerRuntimes: Readonly<Record<string, string>>;
  readonly engines: readonly EngineVersion[];
  /** Of the working directory; null outside of a repository. */
  readonly git: GitState | null;
}

/** What is checked out. */
export interface GitState {
  readonly commit: string;
  /** Null between branches. */
  readonly branch: string | null;
  /** Whether tracked files differ from the commit. */
  readonly isChanged: boolean;
}

export interface Gpu {
  readonly name: string;
  readonly memoryMiB: number | null;
  readonly driver: string | null;
  /** Of CUDA or ROCm that the driver supports. */
  readonly runtime: string | null;
}

export interface EngineVersion {
  readonly url: string;
  /** Null if the engine does not say, with the reason. */
  readonly version: string | null;
  readonly problem: string | null;
}

/** As lines for people. */
export function environmentText(environment: Environment): string {
  const { os, cpu, memory, gpus, containerRuntimes, engines } = environment;
  const limited = (limit: string | null) => (limit === null ? '' : `, limited to ${limit}`);
  const rows: [string, string][] = [
    ['spillway', `${environment.spillway}, Node ${environment.node}`],
    [
      'system',
      [
        `${os.name ?? 'unknown'}, kernel ${os.kernel}, ${os.architecture}`,
        ...(os.virtualization === null ? [] : [os.virtualization]),
      ].join(', '),
    ],
    [
      'processor',
      `${cpu.count} × ${cpu.model ?? 'unknown'}${limited(cpu.limit === null ? null : `${cpu.limit} CPUs`)}, load ${cpu.load.toFixed(1)}`,
    ],
    [
      'memory',
      gibibytes(memory.bytes) +
        limited(memory.limitBytes === null ? null : gibibytes(memory.limitBytes)),
    ],
    ...(gpus.length === 0
      ? ([['GPU', 'none']] as [string, string][])
      : gpus.map((gpu): [string, string] => ['GPU', gpuText(gpu)])),
    ...Object.entries(containerRuntimes).map(([name, version]): [string, string] => [
      name,
      version,
    ]),
    ...engines.map(({ url, version, problem }): [string, string] => [
      'engine',
      `${url} ${version ?? `unknown: ${problem}`}`,
    ]),
    ...(environment.git === null
      ? []
      : ([['commit', gitText(environment.git)]] as [string, string][])),
  ];
  return rows.map(([name, value]) => `${name.padEnd(11)}${value}\n`).join('');
}

function gitText({ commit, branch, isChanged }: GitState): string {
  const parts = [commit.slice(0, 12), ...(branch === null ? [] : [branch])];
  return `${parts.join(' on ')}${isChanged ? ', changed' : ''}`;
}

function gpuText({ name, memoryMiB, driver, runtime }: Gpu): string {
  const parts = [name];
  if (memoryMiB !== null) parts.push(gibibytes(memoryMiB * 1_048_576));
  if (driver !== null) parts.push(`driver ${driver}`);
  if (runtime !== null) parts.push(runtime);
  return parts.join(', ');
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

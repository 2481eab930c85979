// Asks this machine, its tools and the engines. Whatever is missing, slow or broken is left out: a measurement must not fail
// because a driver's tool does.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { fetchable, version } from '../../core/base/index.ts';
import type { EngineVersion, Environment, GitState, Gpu } from './environment.ts';
import {
  amdGpus,
  cpuLimit,
  cudaVersion,
  firstVersion,
  memoryLimit,
  nvidiaGpus,
  osName,
} from './parse.ts';

export interface EnvironmentOptions {
  /** Engines and routers that are asked for their version. @default none */
  readonly urls?: readonly string[];
  /** Runs a program and returns what it prints; undefined if it fails. @default the real one */
  readonly run?: (program: string, args: readonly string[]) => Promise<string | undefined>;
  /** Reads a text file; undefined if it cannot be read. @default the real one */
  readonly read?: (path: string) => Promise<string | undefined>;
}

const programTimeoutMs = 5_000;
const outputBytesMax = 1_048_576;
const engineTimeoutMs = 3_000;

const containerPrograms = [
  'docker',
  'podman',
  'containerd',
  'minikube',
  'kind',
  'kubectl',
  'helm',
] as const;
/** Arguments that print a version without asking a server. */
const versionArguments: Readonly<Record<string, readonly string[]>> = {
  kubectl: ['version', '--client'],
  helm: ['version', '--short'],
  minikube: ['version', '--short'],
};

export async function readEnvironment(options: EnvironmentOptions = {}): Promise<Environment> {
  const { urls = [], run = runProgram, read = readText } = options;
  const bytes = totalmem();
  const [name, virtualization, limit, memory, gpus, runtimes, engines, git] = await Promise.all([
    read('/etc/os-release'),
    virtualizationOf(read, run),
    cpuLimitOf(read),
    firstOf(read, ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']),
    gpusOf(run),
    Promise.all(
      containerPrograms.map(async (program) => {
        const text = await run(program, versionArguments[program] ?? ['--version']);
        return [program, text === undefined ? null : firstVersion(text)] as const;
      }),
    ),
    Promise.all(urls.map(engineVersion)),
    gitOf(run),
  ]);
  const [first] = cpus();
  return {
    spillway: version,
    node: process.versions.node,
    os: {
      name: name === undefined ? type() : osName(name),
      kernel: release(),
      architecture: arch(),
      virtualization,
    },
    cpu: {
      model: first?.model.trim() || null,
      count: cpus().length,
      limit,
      load: Number((loadavg()[0] ?? 0).toFixed(2)),
    },
    memory: { bytes, limitBytes: memory === undefined ? null : memoryLimit(memory, bytes) },
    gpus,
    containerRuntimes: Object.fromEntries(
      runtimes.filter(
        (entry): entry is [(typeof containerPrograms)[number], string] => entry[1] !== null,
      ),
    ),
    engines,
    git,
  };
}

type Read = NonNullable<EnvironmentOptions['read']>;
type Run = NonNullable<EnvironmentOptions['run']>;

async function cpuLimitOf(read: Read): Promise<number | null> {
  const unified = await read('/sys/fs/cgroup/cpu.max');
  if (unified !== undefined) return cpuLimit(unified);
  const folder = '/sys/fs/cgroup/cpu';
  const quota = await read(`${folder}/cpu.cfs_quota_us`);
  const period = await read(`${folder}/cpu.cfs_period_us`);
  return cpuLimit(`${quota} ${period}`);
}

async function virtualizationOf(read: Read, run: Run): Promise<string | null> {
  if ((await read('/run/.containerenv')) !== undefined) return 'podman';
  if ((await read('/.dockerenv')) !== undefined) return 'docker';
  const detected = (await run('systemd-detect-virt', []))?.trim();
  if (detected !== undefined && detected !== 'none') return detected;
  return (await read('/sys/class/dmi/id/product_name'))?.trim() || null;
}

async function gitOf(run: Run): Promise<GitState | null> {
  const [commit, branch, changes] = await Promise.all([
    run('git', ['rev-parse', 'HEAD']),
    run('git', ['branch', '--show-current']),
    run('git', ['status', '--porcelain', '--untracked-files=no']),
  ]);
  if (!/^[0-9a-f]{40,64}\s*$/.test(commit ?? '')) return null;
  return {
    commit: (commit as string).trim(),
    branch: branch?.trim() || null,
    isChanged: (changes ?? '').trim() !== '',
  };
}

async function gpusOf(run: Run): Promise<readonly Gpu[]> {
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];
  const nvidia = await run('nvidia-smi', query);
  if (nvidia !== undefined) {
    return nvidiaGpus(nvidia, cudaVersion((await run('nvidia-smi', [])) ?? ''));
  }
  const amd = await run('rocm-smi', [
    ...['--showproductname', '--showmeminfo', 'vram', '--showdriverversion', '--json'],
  ]);
  try {
    return amd === undefined ? [] : amdGpus(amd);
  } catch {
    return [];
  }
}

async function engineVersion(given: string): Promise<EngineVersion> {
  const { url, headers } = fetchable(given);
  const address = `${url.replace(/\/(v1\/?)?$/, '')}/version`;
  try {
    const signal = AbortSignal.timeout(engineTimeoutMs);
    const response = await fetch(address, { signal, headers });
    const text = await response.text();
    if (!response.ok) return { url, version: null, problem: `status ${response.status}` };
    const { version: said } = JSON.parse(text) as { readonly version?: unknown };
    if (typeof said === 'string') return { url, version: said, problem: null };
    return { url, version: null, problem: 'no version in the response' };
  } catch (error) {
    const { cause, message } = error as Error;
    const { code } = (cause ?? {}) as { readonly code?: string };
    return { url, version: null, problem: code ?? message };
  }
}

async function firstOf(read: Read, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await read(path);
    if (text !== undefined) return text;
  }
  return undefined;
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const limits = {
      timeout: programTimeoutMs,
      maxBuffer: outputBytesMax,
      killSignal: 'SIGKILL' as const,
    };
    execFile(program, [...args], limits, (error, output) => resolve(error ? undefined : output));
  });
}

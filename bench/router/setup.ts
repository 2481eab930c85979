// What the benchmarks of routers share: bundles, the engines in C, the processes of a router.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

/** Where the benchmarks build and write. */
export const directory = join(root, '.cache', 'bench-router');

/** Builds the bundle of a clone, by default of this one, into a folder of `directory`. */
export function buildBundle(name: string, clone = root): void {
  run(process.execPath, ['scripts/build.ts', '--out', join(directory, name)], clone);
}

/** Builds a program in C of this folder. @returns Its path. */
export function buildProgram(name: string): string {
  const binary = join(directory, name);
  run('cc', ['-O2', '-o', binary, join(import.meta.dirname, `${name}.c`)]);
  return binary;
}

/** Starts the engines, one per port, on CPU 1. */
export function startUpstream(ports: readonly number[]): ChildProcess {
  const args = ['-c', '1', buildProgram('upstream'), ...ports.map(String)];
  return spawn('taskset', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

function run(command: string, args: readonly string[], cwd = root): void {
  if (spawnSync(command, args, { stdio: 'inherit', cwd }).status !== 0) {
    throw new Error(`${command} failed`);
  }
}

/** A process and its descendants. */
export function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean);
  return [pid, ...children.flatMap((child) => processTree(Number(child)))];
}

export function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, Node ${process.version}`;
}

/** Whether a comma-separated list names a part of `name`; an empty one chooses all. */
export function chosen(name: string, filter: string): boolean {
  return filter === '' || filter.split(',').some((part) => name.includes(part));
}

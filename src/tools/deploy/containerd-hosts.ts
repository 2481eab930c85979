// Points containerd of this machine to a mirror, and loads images into it.
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { hostsFileMark, hostsToml, type Mirror } from '../../core/deploy/index.ts';
import { findProgram } from '../../io/processes/index.ts';
import { DeployError } from './deploy-error.ts';

/** Where containerd's plugin for Kubernetes looks if its `config_path` says so. */
export const containerdHostsFolder = '/etc/containerd/certs.d';
/** Time for one image; those of engines have ten gigabytes. */
const pullTimeoutMs = 3_600_000;
const outputBytesMax = 16 << 20;

export interface HostsFile {
  readonly path: string;
  readonly registry: string;
  /** False if it had this content already. */
  readonly isChanged: boolean;
}

/**
 * Writes `FOLDER/REGISTRY/hosts.toml` for each registry. containerd reads these files for each pull, without a restart.
 *
 * @throws {InputError} If such a file was written by something else, or the folder cannot be written.
 */
export async function writeHosts(
  folder: string,
  registries: readonly string[],
  mirror: Mirror,
): Promise<readonly HostsFile[]> {
  const wanted = registries.map((registry) => ({
    ...{ registry, text: hostsToml(registry, mirror) },
    path: join(folder, registry, 'hosts.toml'),
  }));
  const before = await Promise.all(wanted.map(({ path }) => readIfThere(path)));
  const foreign = before.findIndex((text) => text !== undefined && !text.startsWith(hostsFileMark));
  if (foreign >= 0) {
    throw new InputError(
      `${wanted[foreign]?.path} was not written by "spillway images"; add the mirror there by hand, or move the file away. Nothing was changed.`,
    );
  }
  const files: HostsFile[] = [];
  for (const [index, { path, registry, text }] of wanted.entries()) {
    const isChanged = before[index] !== text;
    if (isChanged) await replaceFile(path, text, mirror.login === undefined ? 0o644 : 0o600);
    files.push({ path, registry, isChanged });
  }
  return files;
}

/**
 * Returns what keeps containerd from reading the folder; '' if nothing does, or if its configuration cannot be read.
 *
 * @param configuration @default /etc/containerd/config.toml
 */
export async function hostsFolderProblem(
  folder: string,
  configuration = '/etc/containerd/config.toml',
): Promise<string> {
  const text = await readIfThere(configuration).catch(() => undefined);
  if (text === undefined) return '';
  const isRead = text
    .split('\n')
    .some((line) => /^\s*config_path\s*=/.test(line) && line.includes(folder));
  return isRead
    ? ''
    : `${configuration} does not set config_path = "${folder}" (in its registry section), so containerd will not read these files`;
}

/**
 * Pulls an image into containerd's namespace of Kubernetes, by `ctr`. Its address comes from CONTAINERD_ADDRESS, if set.
 *
 * @returns Why it failed; '' if it did not.
 * @throws {DeployError} If there is no ctr.
 */
export async function pullByCtr(
  image: string,
  { folder, platform, signal }: PullOptions,
): Promise<string> {
  const program = findProgram('ctr', process.env['PATH']);
  if (program === undefined) {
    throw new DeployError(
      '"ctr" is not on the PATH; it comes with containerd. Run this on a node.',
    );
  }
  const args = ['--namespace', 'k8s.io', 'images', 'pull', '--platform', platform];
  const hosts = folder === undefined ? [] : ['--hosts-dir', folder];
  const options = { timeout: pullTimeoutMs, maxBuffer: outputBytesMax, ...(signal && { signal }) };
  return new Promise((resolve, reject) => {
    execFile(program, [...args, ...hosts, image], options, (error, _, stderr) => {
      if (error === null) resolve('');
      else if (signal?.aborted) reject(signal.reason);
      else if (error.killed) resolve(`ctr did not end within ${pullTimeoutMs / 60_000} minutes`);
      else resolve(lastLine(stderr) || error.message);
    });
  });
}

interface PullOptions {
  /** Folder of `hosts.toml` files; undefined to pull from the registries themselves. */
  readonly folder: string | undefined;
  readonly platform: string;
  readonly signal?: AbortSignal | undefined;
}

/** @param mode A file with a login is only for its owner. */
async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const scratch = `${path}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await rm(scratch, { force: true });
    await writeFile(scratch, text, { mode });
    await rename(scratch, path);
  } catch (error) {
    throw unusable(path, error);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): InputError {
  const { message, code } = error as NodeJS.ErrnoException;
  const how = code === 'EACCES' ? '; run this as root, or name another folder' : '';
  return new InputError(`${path}: ${message}${how}.`, { cause: error });
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').replace(/^ctr: /, '').slice(0, 500);
}

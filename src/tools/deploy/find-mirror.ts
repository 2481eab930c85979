// The mirror of registries that the user names, and one that could be named: that this machine's Docker uses, or that listens nearby.
import { readFile } from 'node:fs/promises';
import { InputError, NoResponseError } from '../../core/base/index.ts';
import type { Mirror } from '../../core/deploy/index.ts';
import { listAt } from '../../core/kubernetes/index.ts';
import { Registry } from './registry.ts';
import { registryLogin } from './registry-login.ts';

/** Environment variable that names a mirror. */
export const mirrorVariable = 'SPILLWAY_REGISTRY_MIRROR';
/** Of a guess: whatever does not respond at once is none. */
const guessTimeoutMs = 2_000;

export interface FoundMirror extends Mirror {
  /** Where it was found: a file, or an address that is usual. */
  readonly source: string;
}

export interface MirrorSearch {
  /** Reads a text file; undefined if it cannot be read. @default the real one */
  readonly read?: ((path: string) => Promise<string | undefined>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Returns the mirror that the user has named, by a flag or by `SPILLWAY_REGISTRY_MIRROR`, with the login that Docker or Podman has for it.
 *
 * @param flag Value of the flag, which takes precedence.
 * @throws {InputError} If it is not the address of a mirror.
 */
export async function namedMirror(
  environment: NodeJS.ProcessEnv,
  flag?: string,
  isInsecure = false,
): Promise<Mirror | undefined> {
  const text = (flag ?? environment[mirrorVariable])?.trim();
  if (!text) return undefined;
  const url = mirrorUrl(text, flag === undefined ? mirrorVariable : '--mirror');
  const login = await registryLogin(new URL(url).host, environment);
  return { url, isInsecure, ...(login && { login }) };
}

/**
 * Looks for a mirror that was not named: the first that responds of those in `/etc/docker/daemon.json`, port 5000 of this
 * machine, and port 5000 of its gateway, where a host often offers one to its virtual machines. It is only suggested: images come from
 * a mirror only if the user names it.
 */
export async function findMirror(search: MirrorSearch = {}): Promise<FoundMirror | undefined> {
  const { read = readText, signal } = search;
  const docker = dockerMirrors((await read('/etc/docker/daemon.json')) ?? '');
  const gateway = gatewayOf((await read('/proc/net/route')) ?? '');
  const guesses: readonly (readonly [url: string, source: string])[] = [
    ...docker.map((url) => [url, '/etc/docker/daemon.json'] as const),
    ['http://127.0.0.1:5000', 'port 5000 of this machine'],
    ...(gateway === undefined
      ? []
      : ([[`http://${gateway}:5000`, 'port 5000 of the gateway']] as const)),
  ];
  const asked = guesses.map(async ([url, source]) => {
    try {
      const mirror = { url: mirrorUrl(url, source), isInsecure: false };
      await new Registry(mirror, signal).check(guessTimeoutMs);
      return { ...mirror, source };
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof NoResponseError || error instanceof InputError) return undefined;
      throw error;
    }
  });
  return (await Promise.all(asked)).find((mirror) => mirror !== undefined);
}

/**
 * Reads the address of a mirror; https if it has no scheme.
 *
 * @param source What it comes from, for the error.
 * @throws {InputError} If it is none, or contains a login, which would be seen in lists of processes.
 */
function mirrorUrl(text: string, source: string): string {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (url !== null && url.username + url.password !== '') {
    throw new InputError(
      `${source}: the address of a mirror has no login in it; run "docker login ${url.host}" or "podman login ${url.host}", whose file is read.`,
    );
  }
  const path = url?.pathname.replaceAll('%7Bregistry%7D', '{registry}').replace(/\/+$/, '') ?? '';
  const isPath = /^(\/([\w.~-]+|\{registry\}))*$/.test(path) && !/[?#]/.test(text);
  const isHttp = url !== null && /^https?:$/.test(url.protocol) && !/[{}]/.test(url.host);
  if (isHttp && isPath) return url.origin + path;
  throw new InputError(
    `${source}: "${text}" is not the address of a mirror, such as http://10.0.0.1:5000 or https://mirror.example.com/v2/{registry}.`,
  );
}

const mirrorsMax = 4;

function dockerMirrors(text: string): readonly string[] {
  try {
    return listAt(JSON.parse(text), 'registry-mirrors').map(String).slice(0, mirrorsMax);
  } catch {
    return [];
  }
}

/** The default gateway in Linux's table of routes, whose addresses are little-endian. */
export function gatewayOf(routes: string): string | undefined {
  const row = routes.split('\n').map((line) => line.trim().split(/\s+/));
  const [, , hex = ''] =
    row.find(([, target, to]) => target === '00000000' && to !== '00000000') ?? [];
  if (!/^[0-9A-F]{8}$/i.test(hex)) return undefined;
  return [6, 4, 2, 0].map((from) => Number.parseInt(hex.slice(from, from + 2), 16)).join('.');
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

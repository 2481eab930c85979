// LMCache's own configuration, from its environment variables and its file, under its own names.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../../core/base/index.ts';
import { sizeFault } from '../../../core/lm/index.ts';
import { lmcacheFileNotes, lmcacheVariableNotes } from './lmcache-keys.ts';

/** The settings of LMCache that the emulation uses; names and defaults are those of LMCache 0.5. */
export interface LmcacheSettings {
  /** Tokens per chunk. */
  readonly chunkTokens: number;
  /** Host memory and disk of each worker process, bytes. */
  readonly hostBytes: number;
  readonly diskBytes: number;
  /** `local_disk`, where files of chunks are; undefined for a disk that is only modelled. */
  readonly diskFolder?: string | undefined;
  /** Where the cache server is; undefined for none. */
  readonly remoteUrl: string | undefined;
  /** Time for one request to it. */
  readonly timeoutMs: number;
  /** PYTHONHASHSEED, from which the names of chunks follow. @default 123, as in the chart */
  readonly hashSeed?: number | undefined;
  /** Where it reports what it has; undefined for nowhere. */
  readonly controller?: LmcacheController | undefined;
  /** Its place among other engines, with `enable_p2p`; undefined if it reads nothing out of their host memory. */
  readonly peers?: LmcachePeers | undefined;
}

/** The settings of LMCache that are about transfers between engines. */
export interface LmcachePeers {
  /** `p2p_host`. @default the engine's host, where LMCache requires a name */
  readonly host?: string | undefined;
  /** `p2p_init_ports` and `p2p_lookup_ports` of the first worker. @default 0, any free port, where LMCache requires one */
  readonly initPort: number;
  readonly lookupPort: number;
}

/** The settings of LMCache that are about its controller. */
export interface LmcacheController {
  readonly pullUrl: string;
  readonly replyUrl: string;
  /** `lmcache_instance_id`. @default the engine's host and port, where LMCache requires a name */
  readonly instanceId?: string | undefined;
  readonly heartbeatSeconds: number | undefined;
  /** `lmcache_worker_ports` of the first worker, where it takes orders. @default 0, any free port, where LMCache requires one */
  readonly workerPort?: number | undefined;
}

const gibibyte = 2 ** 30;

/** LMCache's own, without a cache server. */
export const defaultLmcache: LmcacheSettings = {
  ...{ chunkTokens: 256, hostBytes: 5 * gibibyte, diskBytes: 0 },
  ...{ remoteUrl: undefined, timeoutMs: 10_000 },
};

/**
 * Reads `LMCACHE_CONFIG_FILE`, and the variables `LMCACHE_…`, which win over it.
 *
 * @param overrides Of `lmcacheOverrides`, which win over both.
 * @param onNote Receives a sentence for each key without effect.
 * @throws {InputError} If the file cannot be read, or a value is not of its kind.
 */
export async function lmcacheSettings(
  environment: Readonly<Record<string, string | undefined>>,
  onNote: (note: string) => void = () => {},
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<LmcacheSettings> {
  const path = environment['LMCACHE_CONFIG_FILE'];
  const file = await fileOf(path);
  if (path !== undefined) lmcacheFileNotes(file, path).forEach(onNote);
  lmcacheVariableNotes(environment).forEach(onNote);
  const given = (name: string) =>
    Object.hasOwn(overrides, name)
      ? overrides[name]
      : (environment[`LMCACHE_${name.toUpperCase()}`] ?? file[name]);
  const number = (name: string, fallback: number) => {
    const value = given(name);
    if (value === undefined || value === null || value === '') return fallback;
    const read = Number(value);
    if (Number.isFinite(read) && read >= 0) return read;
    throw new InputError(`${label(name)} is ${String(value)}; it must be a number, 0 or more.`);
  };
  const gigabytes = (name: string, fallback: number, kind: 'memory' | 'disk') => {
    const text = String(given(name) ?? '').trim();
    const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(gi?b?|mi?b?|ti?b?)$/i.exec(text) ?? [];
    if (amount !== undefined && unit !== undefined) {
      const scale = { g: 1, m: 1 / 1024, t: 1024 }[unit[0]?.toLowerCase() ?? ''] ?? 1;
      throw new InputError(
        `${label(name)} is ${text}; it is a number in GB: write ${rounded(Number(amount) * scale)}.`,
      );
    }
    const size = number(name, fallback);
    const fault = sizeFault(size, kind);
    if (fault === undefined) return size;
    throw new InputError(`${label(name)} is ${size}, and ${fault}.`);
  };
  const flag = (name: string, fallback: boolean) => {
    const value = given(name);
    if (value === undefined || value === null || value === '') return fallback;
    const text = String(value).toLowerCase();
    if (/^(true|1|yes|on)$/.test(text)) return true;
    if (/^(false|0|no|off)$/.test(text)) return false;
    throw new InputError(`${label(name)} is ${String(value)}; it must be True or False.`);
  };
  const word = (name: string) => {
    const value = given(name);
    return value === undefined || value === null || value === '' ? undefined : String(value);
  };
  const port = (name: string) => {
    const [first = '0'] = String(given(name) ?? '0').split(',');
    if (/^\s*\d{1,5}\s*$/.test(first) && Number(first) < 65_536) return Number(first);
    throw new InputError(`${label(name)} is ${String(given(name))}; it must be a port.`);
  };
  const hasController = flag('enable_controller', false);
  const hasPeers = flag('enable_p2p', false);
  if (hasPeers && !hasController) {
    throw new InputError(
      `${label('enable_p2p')} needs enable_controller: LMCache asks its controller who has a chunk.`,
    );
  }
  return {
    chunkTokens: chunkTokensOf(number('chunk_size', defaultLmcache.chunkTokens)),
    hostBytes: flag('local_cpu', true)
      ? gigabytes('max_local_cpu_size', 5, 'memory') * gibibyte
      : 0,
    diskBytes: gigabytes('max_local_disk_size', 0, 'disk') * gibibyte,
    diskFolder: diskFolderOf(word('local_disk')),
    remoteUrl: word('remote_url'),
    timeoutMs: 1000 * number('blocking_timeout_secs', 10),
    hashSeed: hashSeedOf(environment['PYTHONHASHSEED']),
    peers: hasPeers
      ? {
          ...{ host: word('p2p_host'), initPort: port('p2p_init_ports') },
          lookupPort: port('p2p_lookup_ports'),
        }
      : undefined,
    controller: hasController
      ? {
          pullUrl: required(
            'controller_pull_url',
            word('controller_pull_url') ?? word('controller_url'),
          ),
          replyUrl: required('controller_reply_url', word('controller_reply_url')),
          instanceId: word('lmcache_instance_id'),
          heartbeatSeconds: number('lmcache_worker_heartbeat_time', 0) || undefined,
          workerPort: port('lmcache_worker_ports'),
        }
      : undefined,
  };
}

function chunkTokensOf(tokens: number): number {
  if (Number.isSafeInteger(tokens) && tokens >= 1) return tokens;
  throw new InputError(
    `${label('chunk_size')} is ${tokens}; it must be a whole number of tokens, at least 1.`,
  );
}

/** Without digits that nobody would write. */
function rounded(size: number): string {
  return String(Number(size.toPrecision(4)));
}

/** PYTHONHASHSEED in the chart. */
export const hashSeedDefault = 123;

/** The first of several folders. The chart's `True` names none. */
function diskFolderOf(text = ''): string | undefined {
  const [first = ''] = text.split(',');
  const path = first.trim().replace(/^file:\/\//, '');
  return path === '' || /^true$/i.test(path) ? undefined : path;
}

/** @returns The default for none, and for `random`, which no router could follow. */
function hashSeedOf(text = ''): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : hashSeedDefault;
}

function required(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new InputError(`${label(name)} is missing, which LMCache needs with enable_controller.`);
}

function label(name: string): string {
  return `LMCache's ${name} (LMCACHE_${name.toUpperCase()})`;
}

async function fileOf(path: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (path === undefined || path === '') return {};
  try {
    const { parse } = await import('yaml');
    const content: unknown = parse(await readFile(path, 'utf8'));
    if (content === null || content === undefined) return {};
    if (typeof content === 'object' && !Array.isArray(content)) {
      return content as Record<string, unknown>;
    }
    throw new Error('it must hold keys and values');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`LMCACHE_CONFIG_FILE ${path} cannot be used: ${reason}.`, { cause });
  }
}

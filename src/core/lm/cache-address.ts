// Where a cache server is, from its URL.
import { InputError, withoutCredentials } from '../base/index.ts';

export interface CacheAddress {
  readonly protocol: 'lm' | 'resp';
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** For Redis' protocol; undefined without AUTH. */
  readonly user: string | undefined;
  readonly password: string | undefined;
}

const plainProtocols = {
  'lm:': 'lm',
  'redis:': 'resp',
  'valkey:': 'resp',
  'resp:': 'resp',
} as const;
const tlsProtocols = { 'lms:': 'lm', 'rediss:': 'resp', 'valkeys:': 'resp' } as const;
const protocols = { ...plainProtocols, ...tlsProtocols };
const defaultPorts = { lm: 65_432, resp: 6379 } as const;

/**
 * Reads the URL of a cache server, as LMCache takes it in `remote_url`.
 *
 * @param where What names the URL, for errors.
 * @throws {InputError} If it is none.
 * @example parseCacheUrl('lm://127.0.0.1:65432', 'URL')
 */
export function parseCacheUrl(text: string, where: string): CacheAddress {
  const refuse = () =>
    foreignStore(text, where) ??
    new InputError(
      `${where} is "${withoutCredentials(text)}"; it must look like lm://HOST:PORT, redis://[USER:PASSWORD@]HOST:PORT or valkey://HOST:PORT, or with TLS like lms://, rediss:// or valkeys://.`,
    );
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse();
  }
  const protocol = protocols[url.protocol as keyof typeof protocols];
  const isBare = /^\/?0?$/.test(url.pathname) && url.search === '' && url.hash === '';
  if (protocol === undefined || url.hostname === '' || !isBare) throw refuse();
  if (protocol === 'lm' && (url.username !== '' || url.password !== '')) {
    throw new InputError(`${where}: lm:// has no passwords; use redis://USER:PASSWORD@HOST:PORT.`);
  }
  const given = (part: string) => {
    try {
      return part === '' ? undefined : decodeURIComponent(part);
    } catch {
      throw new InputError(
        `${where}: the user or the password in "${withoutCredentials(text)}" has a % that begins no character; write %25 for %.`,
      );
    }
  };
  return {
    protocol,
    isTls: url.protocol in tlsProtocols,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPorts[protocol] : Number(url.port),
    user: given(url.username),
    password: given(url.password),
  };
}

/** Stores of LMCache that are spoken to by its own connectors only, by the scheme of their URL. */
const foreignSchemes: readonly string[] = [
  ...[
    'mooncakestore',
    's3',
    'infinistore',
    'fs',
    'file',
    'azure',
    'bigtable',
    'blackhole',
    'eic',
    'external',
  ],
  ...['hf3fs', 'hfbucket', 'mock', 'audit', 'plugin', 'sagemaker-hyperpod', 'unix'],
  ...['redis-cluster', 'gds', 'nixl', 'weka', 'dax', 'maru', 'http', 'https'],
];

/** @returns An error that says what to use instead; undefined for other texts. */
function foreignStore(text: string, where: string): InputError | undefined {
  const scheme = schemeOf(text);
  if (scheme === undefined) return undefined;
  const sentinel = sentinelRefusal(text, where);
  if (sentinel !== undefined) return sentinel;
  if (!foreignSchemes.includes(scheme)) return undefined;
  return new InputError(
    `${where} is "${withoutCredentials(text)}"; a store of ${scheme}:// is not spoken to: use lm://HOST:PORT or redis://HOST:PORT of "spillway cache", which can keep values on disk and in S3 below its memory, or leave it out.`,
  );
}

/**
 * Refuses the URL of a Redis Sentinel, wherever the address of a cache server or a store is expected.
 *
 * @returns Undefined for other texts.
 */
export function sentinelRefusal(text: string, where: string): InputError | undefined {
  const scheme = schemeOf(text);
  if (scheme === undefined || !scheme.includes('sentinel')) return undefined;
  return new InputError(
    `${where} is "${withoutCredentials(text)}"; Redis Sentinel (${scheme}://) is not spoken to: use lm://HOST:PORT or redis://[USER:PASSWORD@]HOST:PORT of "spillway cache" itself, or leave it out.`,
  );
}

function schemeOf(text: string): string | undefined {
  return /^\s*([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
}

// Where a cache server is, from its URL.
import { InputError, withoutCredentials } from '../../core/base/index.ts';

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
  const given = (part: string) => (part === '' ? undefined : decodeURIComponent(part));
  return {
    protocol,
    isTls: url.protocol in tlsProtocols,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? defaultPorts[protocol] : Number(url.port),
    user: given(url.username),
    password: given(url.password),
  };
}

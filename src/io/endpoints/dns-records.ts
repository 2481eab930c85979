// Finds endpoints in DNS, and looks them up again when records expire.
import { Resolver } from 'node:dns/promises';
import type { Discovery } from './discovery.ts';
import { type DnsName, parseDnsName } from './dns-name.ts';
import type { DiscoveredEndpoint, EndpointSource, SourceLog, Wait } from './endpoint-source.ts';
import { type Look, polledSource } from './polled-source.ts';

export const dnsDiscovery: Discovery = {
  kind: 'dns',
  flags: [
    {
      flag: '--engines-dns <name>',
      help: 'engines in DNS: srv://NAME or a://NAME:PORT, looked up again when the records expire',
    },
  ],
  open: ([name = ''], log) => dnsRecords({ name, log }),
};

export interface DnsRecordsOptions {
  /** `srv://NAME` or `a://NAME:PORT`. */
  readonly name: string;
  readonly log: SourceLog;
  /** Addresses of name servers, with ports. @default the system's name servers */
  readonly servers?: readonly string[] | undefined;
  /** Minimum pause between two look-ups, whatever the records say. @default 1000 */
  readonly intervalMinMs?: number | undefined;
  /** Maximum pause between two look-ups. @default 30000 */
  readonly intervalMaxMs?: number | undefined;
  /** Maximum wait for the response of a name server. @default 2000 */
  readonly timeoutMs?: number | undefined;
  readonly wait?: Wait | undefined;
}

/** Number of consecutive look-ups without records before the engines are removed. */
const emptyLooksMin = 2;
/** Maximum number of SRV targets whose addresses are looked up for their time to live. */
const ttlTargetsMax = 4;

/**
 * Looks up the name again when the first record expires, within two bounds. A failure (no response,
 * SERVFAIL) keeps the last set. A response that says that there are no records empties the set once
 * a second look-up has confirmed it: a name server that has just started may not know its names
 * yet.
 * Engines are reached by plain HTTP. Priorities and weights of SRV records are ignored, because the
 * routing policy decides. Node does not report the time to live of SRV records, so that of their
 * targets' addresses counts.
 *
 * @throws {InputError} If the name is invalid.
 */
export function dnsRecords(options: DnsRecordsOptions): EndpointSource {
  const { log, wait, intervalMinMs = 1_000, intervalMaxMs = 30_000, timeoutMs = 2_000 } = options;
  const name = parseDnsName(options.name);
  const clamp = (ms: number) => Math.min(Math.max(ms, intervalMinMs), intervalMaxMs);
  let emptyLooks = 0;
  let last: readonly DiscoveredEndpoint[] = [];
  return polledSource({
    name: `DNS ${options.name}`,
    mustStart: false,
    retryMs: clamp(5_000),
    log,
    wait,
    look: async (signal) => {
      const { endpoints, ttlSeconds } = await lookUp(name, options.servers, timeoutMs, signal);
      emptyLooks = endpoints.length === 0 ? emptyLooks + 1 : 0;
      if (endpoints.length === 0 && emptyLooks < emptyLooksMin) {
        return { endpoints: last, againMs: intervalMinMs } satisfies Look;
      }
      last = endpoints;
      return { endpoints, againMs: clamp(ttlSeconds * 1000) };
    },
  });
}

interface Found {
  readonly endpoints: readonly DiscoveredEndpoint[];
  /** Time until the first record expires; Infinity if no record has a time to live. */
  readonly ttlSeconds: number;
}

async function lookUp(
  name: DnsName,
  servers: readonly string[] | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Found> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel);
  try {
    return name.kind === 'srv'
      ? await lookUpServices(resolver, name.name)
      : await lookUpAddresses(resolver, name.name, name.port);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function lookUpServices(resolver: Resolver, name: string): Promise<Found> {
  const records = await orNone(resolver.resolveSrv(name), name);
  const urls = new Set(records.map((record) => `http://${record.name}:${record.port}`));
  const targets = [...new Set(records.map((record) => record.name))].slice(0, ttlTargetsMax);
  const addresses = await Promise.all(
    targets.map((target) => resolver.resolve4(target, { ttl: true }).catch(() => [])),
  );
  return { endpoints: endpointsOf(urls), ttlSeconds: leastTtl(addresses.flat()) };
}

async function lookUpAddresses(resolver: Resolver, name: string, port: number): Promise<Found> {
  const [four, six] = await Promise.all([
    orNone(resolver.resolve4(name, { ttl: true }), name),
    orNone(resolver.resolve6(name, { ttl: true }), name),
  ]);
  const urls = new Set([
    ...four.map(({ address }) => `http://${address}:${port}`),
    ...six.map(({ address }) => `http://[${address}]:${port}`),
  ]);
  return { endpoints: endpointsOf(urls), ttlSeconds: leastTtl([...four, ...six]) };
}

/** Sorts the endpoints, because many name servers change the order with each response. */
function endpointsOf(urls: ReadonlySet<string>): DiscoveredEndpoint[] {
  return [...urls].sort().map((url) => ({ url, models: [] }));
}

function leastTtl(records: readonly { readonly ttl: number }[]): number {
  return Math.min(...records.map(({ ttl }) => ttl));
}

/** Returns the records; none if the name server says that there are none. */
async function orNone<T>(records: Promise<T[]>, name: string): Promise<T[]> {
  try {
    return await records;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
    throw new Error(`the name ${name} cannot be looked up (${code ?? message})`, { cause: error });
  }
}

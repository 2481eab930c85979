// Which engine an instance of LMCache belongs to. LMCache knows no URLs of engines: it reports its own name and address.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The part of an engine that says which instance is its own. */
export interface NamedEngine {
  readonly url: string;
  readonly name: string;
}

/** What a worker of LMCache says of itself. */
export interface LmcacheInstance {
  readonly instanceId: string;
  readonly ip: string;
}

/** Host names are looked up again at this interval: the addresses of pods behind a name change. */
const lookupMs = 30_000;
/** Host names whose addresses are kept; engines are limited, too. */
const hostsMax = 4096;

/** Addresses of host names in engines' URLs, looked up in the background. */
export class HostAddresses {
  readonly #lookup: (host: string) => Promise<string>;
  readonly #known = new Map<string, { address: string | undefined; atMs: number }>();
  readonly #nowMs: () => number;

  constructor({
    resolve = async (host: string) => (await lookup(host, { family: 4 })).address,
    nowMs = () => performance.now(),
  }: {
    readonly resolve?: (host: string) => Promise<string>;
    readonly nowMs?: () => number;
  } = {}) {
    this.#lookup = resolve;
    this.#nowMs = nowMs;
  }

  /** The address of a host, as last looked up; undefined while it is unknown. */
  of(host: string): string | undefined {
    const bare = host.replace(/^\[|\]$/g, '');
    if (isIP(bare) !== 0) return bare;
    const known = this.#known.get(bare);
    const nowMs = this.#nowMs();
    if (known === undefined || nowMs - known.atMs >= lookupMs) {
      if (known === undefined && this.#known.size >= hostsMax) return undefined;
      const entry = { address: known?.address, atMs: nowMs };
      this.#known.set(bare, entry);
      this.#lookup(bare).then(
        (address) => {
          entry.address = address;
        },
        () => {
          // It keeps its last address, and is looked up again.
        },
      );
    }
    return known?.address;
  }
}

/**
 * Maps instances to engines: by name, if the instance is called like the engine, its URL, or its host and port; otherwise
 * by address, as upstream does, if one engine alone has it.
 *
 * @returns URL by instance; instances without an engine are missing.
 */
export function enginesOfInstances(
  instances: Iterable<LmcacheInstance>,
  engines: Iterable<NamedEngine>,
  addresses: { of(host: string): string | undefined },
): ReadonlyMap<string, string> {
  const byName = new Map<string, string>();
  const byAddress = new Map<string, string | undefined>();
  for (const { url, name } of engines) {
    const { host, hostname } = new URL(url);
    for (const known of [name, url, host]) byName.set(known, url);
    const address = addresses.of(hostname);
    if (address === undefined) continue;
    byAddress.set(address, byAddress.has(address) ? undefined : url);
  }
  const found = new Map<string, string>();
  for (const { instanceId, ip } of instances) {
    const url = byName.get(instanceId) ?? byAddress.get(ip.replace(/^::ffff:/, ''));
    if (url !== undefined) found.set(instanceId, url);
  }
  return found;
}

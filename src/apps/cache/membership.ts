// The servers that share keys: a list, or the addresses behind the name of a headless Service, which change.
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { commaList, InputError, withoutCredentials } from '../../core/base/index.ts';
import { sentinelRefusal } from '../../core/lm/index.ts';
import { hostOfMember } from './peers.ts';

/** How often the addresses of a name are looked up. */
const lookupMs = 5_000;

export interface Membership {
  /** This server, as it stands among them. */
  readonly self: string;
  readonly members: readonly string[];
  /** The name whose addresses the members are; undefined for a list. */
  readonly name: string | undefined;
  /** Calls back with other members from now on, until it is stopped. */
  watch(onChange: (members: readonly string[]) => void): { stop(): void };
}

/**
 * Reads `--peers`.
 *
 * @param text `a:6379,b:6379,c:6379`, this server too; or one name, whose addresses they are.
 * @param self What `--peer-address` says; by default the one of this machine's addresses that is a member.
 * @throws {InputError} If this server is none of them, or one is no `host:port`.
 */
export async function membershipOf(text: string, self: string | undefined): Promise<Membership> {
  const names = commaList(text);
  for (const name of names) {
    const refusal = sentinelRefusal(name, '--peers');
    if (refusal !== undefined) throw refusal;
    if (!/^(?:\[[\da-f:.]+\]|[^\s:,[\]]+):\d{1,5}$/i.test(name)) {
      throw new InputError(
        `--peers has "${withoutCredentials(name)}"; each must look like HOST:PORT with the port of Redis' protocol.`,
      );
    }
  }
  const [first = ''] = names;
  const resolve = names.length === 1 ? () => addressesOf(first) : () => Promise.resolve(names);
  const found = await resolve();
  const own = self ?? found.find(isOwn) ?? (names.length === 1 ? ownAddress(first) : undefined);
  // A pod is looked up before its name has its address.
  const isNew = names.length === 1 && own !== undefined && !found.includes(own);
  const members = isNew ? [...found, own] : found;
  if (own === undefined || !members.includes(own)) {
    throw new InputError(
      `--peers: ${own ?? 'none of the addresses of this machine'} is not among ${members.join(', ')}; set --peer-address to the one that is this server.`,
    );
  }
  return {
    ...{ self: own, members, name: names.length === 1 ? hostOfMember(first) : undefined },
    watch(onChange) {
      let known = members.join();
      const look = async () => {
        // A name that cannot be looked up for a moment has not lost its servers.
        const now = await resolve().catch(() => undefined);
        if (now === undefined || now.length === 0 || now.join() === known) return;
        known = now.join();
        onChange(now.includes(own) ? now : [...now, own]);
      };
      const timer =
        names.length === 1 ? setInterval(() => void look(), lookupMs).unref() : undefined;
      return { stop: () => clearInterval(timer) };
    },
  };
}

async function addressesOf(name: string): Promise<readonly string[]> {
  const host = hostOfMember(name);
  const port = name.slice(name.lastIndexOf(':'));
  try {
    const found = await lookup(host, { all: true });
    const hosts = found.map(({ address, family }) => (family === 6 ? `[${address}]` : address));
    return [...new Set(hosts)].sort().map((one) => `${one}${port}`);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new InputError(`--peers: the name ${host} cannot be looked up (${code}).`, { cause });
  }
}

/** Whether an address is one of this machine's. */
function isOwn(name: string): boolean {
  const host = hostOfMember(name);
  return ownAddresses().some(({ address }) => address === host);
}

/** The first address of this machine, with the port of `name`. */
function ownAddress(name: string): string | undefined {
  const [first] = ownAddresses().filter(({ family }) => family === 'IPv4');
  return first && `${first.address}${name.slice(name.lastIndexOf(':'))}`;
}

function ownAddresses() {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter(({ internal }) => !internal);
}

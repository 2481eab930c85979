// The hosts of a stack without Kubernetes: how they are written, and how they are reached.
import { InputError } from '../base/index.ts';

export interface Host {
  /** As written: `user@name:port`, or `localhost`. */
  readonly text: string;
  /** Name or IP address, by which other hosts and clients reach it. */
  readonly address: string;
  /** How to log in; undefined for this machine. */
  readonly ssh:
    | { readonly user: string | undefined; readonly port: number | undefined }
    | undefined;
}

/** Hosts of one stack. Beyond it a team has a scheduler, which Spillway leaves to Kubernetes. */
const hostsMax = 64;
const loopback: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1']);

/**
 * Reads a list of hosts.
 *
 * @throws {InputError} If one cannot be a host, is named twice, or there are none or too many.
 * @example parseHosts(['gpu1', 'admin@10.0.0.7:2222']);
 */
export function parseHosts(texts: readonly string[]): readonly Host[] {
  if (texts.length === 0) {
    throw new InputError(
      'Bare metal needs hosts: name them with --hosts gpu1,admin@gpu2:2222, or in spillway.bareMetal.hosts.',
    );
  }
  if (texts.length > hostsMax) {
    throw new InputError(`${texts.length} hosts are too many: at most ${hostsMax} are supported.`);
  }
  const hosts = texts.map(parseHost);
  const addresses = new Set<string>();
  for (const { address, text } of hosts) {
    if (addresses.has(address)) throw new InputError(`The host ${text} is named twice.`);
    addresses.add(address);
  }
  return hosts;
}

/** The address on which a service of this host listens for other machines. */
export function listenAddress({ address }: Host): string {
  if (loopback.has(address)) return '127.0.0.1';
  // A name may lead to a loopback address on the host itself, as in Debian's /etc/hosts.
  return /^[\d.]+$/.test(address) || address.includes(':') ? address : '0.0.0.0';
}

/** The host's part of a URL. */
export function urlHost({ address }: Host): string {
  return address.includes(':') ? `[${address}]` : address;
}

function parseHost(text: string): Host {
  const match =
    /^(?:([a-z_][\w.-]*)@)?(?:\[([\da-f:]+)\]|([a-z\d][a-z\d.-]*))(?::(\d{1,5}))?$/i.exec(text);
  const [, user, ipv6, name, port] = match ?? [];
  const address = ipv6 ?? name;
  if (address === undefined || Number(port ?? 22) > 65_535) {
    throw new InputError(
      `"${text}" is not a host: write NAME, USER@NAME, NAME:PORT or USER@NAME:PORT.`,
    );
  }
  const isHere = user === undefined && port === undefined && loopback.has(address.toLowerCase());
  const ssh = isHere ? undefined : { user, port: port === undefined ? undefined : Number(port) };
  return { text, address, ssh };
}

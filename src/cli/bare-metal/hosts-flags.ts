// How commands reach the hosts of a stack without Kubernetes, and a release on them.
import type { InstalledRelease } from '../../core/bare-metal/index.ts';
import { commaList, InputError } from '../../core/base/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import { type HostSession, openHosts } from '../../tools/bare-metal/index.ts';
import { checkStackNames, type StackFlags } from '../cluster/stack-flags.ts';

/**
 * Runs the work of a command on hosts; Ctrl-C ends it with status 130.
 *
 * @param others Hosts of the values file, without --hosts.
 * @throws {InputError} If a host is wrongly written, or there is none.
 */
export async function withHosts(
  flags: StackFlags,
  work: (session: HostSession) => Promise<void>,
  others: readonly string[] = [],
): Promise<void> {
  checkStackNames(flags);
  if (flags.context !== undefined || flags.namespace !== undefined) {
    throw new InputError(
      'Hosts have no contexts and namespaces: leave out --context and --namespace, or name a target that is a cluster.',
    );
  }
  if (flags.group !== undefined) {
    throw new InputError(
      '--group is for clusters: on bare metal, name the hosts of each stack with --hosts, and the stack with --release.',
    );
  }
  const signals = watchStopSignals();
  endOnHurry(signals);
  try {
    const texts = flags.hosts === undefined ? others : commaList(flags.hosts);
    await work(openHosts(texts, signals.stop));
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = signalStatus(signals);
  } finally {
    signals.release();
  }
}

/** A release on all of its hosts. */
export interface HostsRelease {
  readonly session: HostSession;
  /** By host, in the order of the session. */
  readonly installed: readonly InstalledRelease[];
  readonly revision: number;
  readonly routerUrl: string | undefined;
}

/** Finds a release from one of its hosts, which knows the others. @throws {InputError} If there is none. */
export async function releaseOnHosts(session: HostSession, release: string): Promise<HostsRelease> {
  const near = await session.installed(release);
  const newest = near
    .flatMap(({ record }) => (record === undefined ? [] : [record]))
    .toSorted((one, other) => other.revision - one.revision)[0];
  if (newest === undefined) {
    const hosts = session.hosts.map(({ text }) => text).join(', ');
    throw new InputError(
      `${hosts}: there is no release ${release}. Deploy one with "spillway deploy -f values.yaml --target bare-metal --hosts ${hosts.replaceAll(' ', '')}", or name another with --release.`,
    );
  }
  const { revision, routerUrl, hosts } = newest;
  const known = new Set(session.hosts.map(({ text }) => text));
  if (hosts.every((text) => known.has(text))) {
    return { session, installed: near, revision, routerUrl };
  }
  const all = openHosts([...new Set([...hosts, ...known])], session.signal);
  return { session: all, installed: await all.installed(release), revision, routerUrl };
}

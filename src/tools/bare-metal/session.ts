// The hosts of a stack, as commands reach them.
import {
  type Host,
  type InstalledRelease,
  parseHosts,
  parseInstalled,
  readScript,
} from '../../core/bare-metal/index.ts';
import { runScript } from '../../io/remote-shell/index.ts';

/** Maximum time of a step that only reads. */
const readMs = 60_000;

export class HostSession {
  readonly hosts: readonly Host[];
  readonly signal: AbortSignal | undefined;

  constructor(hosts: readonly Host[], signal?: AbortSignal | undefined) {
    this.hosts = hosts;
    this.signal = signal;
  }

  /** Runs a script as root on a host. @param timeoutMs @default a minute */
  run(
    host: Host,
    script: string,
    timeoutMs: number = readMs,
    onLine?: ((line: string) => void) | undefined,
  ): Promise<string> {
    const { ssh, address, text } = host;
    const login = ssh && { name: address, ...ssh };
    return runScript(script, { host: text, login, timeoutMs, signal: this.signal, onLine });
  }

  /** What each host has of a release, in their order. @throws {NoResponseError} If one does not respond. */
  installed(release: string): Promise<readonly InstalledRelease[]> {
    return Promise.all(
      this.hosts.map(async (host) =>
        parseInstalled(await this.run(host, readScript(release)), host.text, release),
      ),
    );
  }
}

/** @throws {InputError} If a host is wrongly written, or there is none. */
export function openHosts(texts: readonly string[], signal?: AbortSignal): HostSession {
  return new HostSession(parseHosts(texts), signal);
}

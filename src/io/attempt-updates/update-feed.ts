// Finds the peer routers in front of the same engines, and follows the updates of each.
import { lookup } from 'node:dns/promises';
import type { AttemptUpdate } from '../../core/routing/index.ts';
import type { PeerView } from '../../core/views/index.ts';
import type { Ticker, UpstreamTls } from '../http/index.ts';
import type { Logger } from '../log/index.ts';
import type { PeerUrl } from './peer-url.ts';
import type { StoredIds } from './update-lines.ts';
import { silenceMaxMs } from './update-protocol.ts';
import { type PeerClaim, UpdateSource } from './update-source.ts';

export interface UpdateFeedOptions {
  /** This router's id, by which it recognises itself among its peers. */
  readonly router: string;
  readonly peers: readonly PeerUrl[];
  readonly key?: string | undefined;
  readonly ticker: Ticker;
  /** For connections to `https://` URLs. */
  readonly tls?: (() => UpstreamTls) | undefined;
  readonly log: Logger;
  readonly onUpdate: (router: string, update: AttemptUpdate, agoSeconds: number) => void;
  /** A router has learned which engines have stored responses. @default not called */
  readonly onStored?: ((stored: StoredIds) => void) | undefined;
  /** The connection to a router was lost. */
  readonly onLost: (router: string) => void;
  /** Interval between resolutions of the peers' host names. @default 5000 */
  readonly lookupMs?: number | undefined;
  /** Returns all addresses of a host name. @default the system's resolver */
  readonly lookup?: ((hostname: string) => Promise<readonly string[]>) | undefined;
  /** First pause before reconnecting; doubles up to 5 s. @default 100 */
  readonly reconnectMs?: number | undefined;
  /** Time without a whole line after which a router is considered gone. @default 3000 */
  readonly silenceMs?: number | undefined;
  /** @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Reasons that are logged of an address until it is connected; what else a router thinks of is on /debug/router. */
const reasonsMax = 8;
/** Maximum number of addresses to connect to; each of those routers also connects to this one. */
const sourcesMax = 64;

/**
 * Each peer's name is resolved to all its addresses periodically, so one name of a headless
 * Service stands for all routers, this one included: it recognises itself by its id. An address that is no
 * longer listed is dropped only when its stream ends, because a draining router is no longer listed but
 * still has attempts in flight.
 */
export class UpdateFeed {
  readonly #options: UpdateFeedOptions;
  /** Connections by URL and address. */
  readonly #sources = new Map<string, UpdateSource>();
  /** Router id to its connection. */
  readonly #connectedAt = new Map<string, UpdateSource>();
  /** What was logged per peer or address since it was last connected, so that each reason is logged once. */
  readonly #said = new Map<string, Set<string>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: UpdateFeedOptions) {
    this.#options = options;
  }

  /**
   * Starts listening. Call it once this router itself is reachable; otherwise it would not
   * recognise itself at first.
   */
  start(): void {
    void this.#look();
  }

  /** The state of each address of a peer. */
  get state(): PeerView[] {
    return Array.from(this.#sources.values(), (source) => ({
      url: source.peer.url,
      address: source.address,
      state: source.state,
      router: source.router ?? null,
      problem: source.state === 'connected' ? null : source.problem,
      delaySeconds: source.delaySeconds ?? null,
    }));
  }

  /** Disconnects from all routers; their attempts are reported as lost. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
  }

  async #look(): Promise<void> {
    await Promise.all(this.#options.peers.map((peer) => this.#resolve(peer)));
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#look(), this.#options.lookupMs ?? 5_000).unref();
  }

  async #resolve(peer: PeerUrl): Promise<void> {
    const { lookup: find = systemLookup, log } = this.#options;
    let addresses: readonly string[];
    try {
      addresses = await find(peer.hostname);
    } catch (error) {
      // Known addresses stay, because a resolver may fail temporarily.
      const { code, message } = error as NodeJS.ErrnoException;
      this.#say(peer.url, 'unknown', () =>
        log.warning(
          `routers at ${peer.url}: the host name cannot be resolved (${code ?? message})`,
        ),
      );
      return;
    }
    if (this.#closed) return;
    this.#said.get(peer.url)?.delete('unknown');
    this.#follow(peer, addresses);
  }

  #follow(peer: PeerUrl, addresses: readonly string[]): void {
    const { log } = this.#options;
    for (const source of this.#sources.values()) {
      if (source.peer !== peer) continue;
      source.isGone = !addresses.includes(source.address);
      if (source.isGone && source.state !== 'connected') this.#drop(source);
    }
    for (const address of addresses) {
      const name = `${peer.url} ${address}`;
      if (this.#sources.has(name)) continue;
      if (this.#sources.size >= sourcesMax) {
        this.#say(peer.url, 'too many', () =>
          log.warning(`routers at ${peer.url}: only ${sourcesMax} addresses are used`),
        );
        return;
      }
      this.#sources.set(name, this.#open(peer, address));
    }
  }

  #open(peer: PeerUrl, address: string): UpdateSource {
    const { key, ticker, tls, onUpdate, onStored = () => {} } = this.#options;
    const { reconnectMs = 100, silenceMs = silenceMaxMs, random = Math.random } = this.#options;
    const source: UpdateSource = new UpdateSource({
      ...{ peer, address, key, ticker, tls, onUpdate, onStored, reconnectMs, silenceMs, random },
      claim: (router) => this.#claim(router, source),
      onLost: (router) => {
        this.#connectedAt.delete(router);
        this.#options.onLost(router);
      },
      onChange: (changed) => this.#changed(changed),
    });
    return source;
  }

  #claim(router: string, source: UpdateSource): PeerClaim {
    if (router === this.#options.router) return 'self';
    if (this.#connectedAt.has(router)) return 'duplicate';
    this.#connectedAt.set(router, source);
    return 'peer';
  }

  #changed(source: UpdateSource): void {
    const { log } = this.#options;
    const { name, state, problem, isFault, settled, router } = source;
    if (state === 'connecting') {
      const what = settled ? 'disconnected' : 'cannot be connected';
      const level = settled || isFault ? 'warning' : 'info';
      // Without a connection, the reason may change with each attempt.
      this.#say(name, isFault ? problem : 'connecting', () =>
        log[level](`router at ${name} ${what}: ${problem}`),
      );
      if (source.isGone) this.#drop(source);
    } else if (state === 'connected') {
      if (!settled) return;
      this.#said.delete(name);
      this.#say(name, 'connected', () => log.info(`router at ${name} connected (${router})`));
    } else this.#say(name, problem, () => log.debug(`router at ${name}: ${problem}`));
  }

  #drop(source: UpdateSource): void {
    source.close();
    this.#sources.delete(`${source.peer.url} ${source.address}`);
    this.#said.delete(source.name);
  }

  #say(about: string, what: string, log: () => void): void {
    const said = this.#said.get(about) ?? new Set();
    this.#said.set(about, said);
    if (said.has(what) || said.size >= reasonsMax) return;
    said.add(what);
    log();
  }
}

async function systemLookup(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

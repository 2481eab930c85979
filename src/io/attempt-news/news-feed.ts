// Finds the other routers before the same engines, and follows the news of each.
import { lookup } from 'node:dns/promises';
import type { AttemptNews } from '../../core/routing/index.ts';
import type { Ticker } from '../http/index.ts';
import type { Logger } from '../log/index.ts';
import { silenceMaxMs } from './news-protocol.ts';
import { NewsSource, type NewsSourceState, type PeerClaim } from './news-source.ts';
import type { PeerUrl } from './peer-url.ts';

export interface NewsFeedOptions {
  /** This router's id, by which it knows itself among its peers. */
  readonly router: string;
  readonly peers: readonly PeerUrl[];
  readonly key?: string | undefined;
  readonly ticker: Ticker;
  readonly log: Logger;
  readonly onNews: (router: string, news: AttemptNews, agoSeconds: number) => void;
  /** A router is not heard any more. */
  readonly onLost: (router: string) => void;
  /** Pause between two looks at what the peers' names stand for. @default 5000 */
  readonly lookupMs?: number | undefined;
  /** All addresses of a host name. @default the system's resolver */
  readonly lookup?: ((hostname: string) => Promise<readonly string[]>) | undefined;
  /** First pause before connecting again; doubles up to 5 s. @default 100 */
  readonly reconnectMs?: number | undefined;
  /** Silence after which a router is taken to be gone. @default 3000 */
  readonly silenceMs?: number | undefined;
  /** @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** One address of a peer, for people who debug. */
export interface NewsFeedState {
  readonly url: string;
  readonly address: string;
  readonly state: NewsSourceState;
  /** Its id, while it is heard. */
  readonly router: string | null;
  /** Why it is not heard; null if it is. */
  readonly problem: string | null;
  /** By how much its last word came later than its quickest. */
  readonly lagSeconds: number | null;
}

/** Most addresses that are followed; each is a connection to a router that has one to us. */
const sourcesMax = 64;

/**
 * Each peer's name is resolved to all its addresses again and again, so one name of a headless
 * Service stands for all routers, this one included: it knows itself by its id. An address that is no
 * longer named is left when its stream ends and not before: a router that drains is named no more and
 * still has attempts under way.
 */
export class NewsFeed {
  readonly #options: NewsFeedOptions;
  /** By URL and address. */
  readonly #sources = new Map<string, NewsSource>();
  /** Router id to where it is heard. */
  readonly #heardAt = new Map<string, NewsSource>();
  /** What was last said of a peer or of one of its addresses, to say it once. */
  readonly #said = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: NewsFeedOptions) {
    this.#options = options;
  }

  /** Begins to listen; once this router itself can be asked, or it would not know itself at first. */
  start(): void {
    void this.#look();
  }

  get state(): NewsFeedState[] {
    return Array.from(this.#sources.values(), (source) => ({
      url: source.peer.url,
      address: source.address,
      state: source.state,
      router: source.router ?? null,
      problem: source.state === 'heard' ? null : source.problem,
      lagSeconds: source.lagSeconds ?? null,
    }));
  }

  /** Leaves all; what was heard of them is told as lost. */
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
      // Those that are known stay: a resolver may fail for a while.
      const { code, message } = error as NodeJS.ErrnoException;
      this.#say(peer.url, 'unknown', () =>
        log.warning(`routers at ${peer.url}: the name is not known (${code ?? message})`),
      );
      return;
    }
    if (this.#closed) return;
    if (this.#said.get(peer.url) === 'unknown') this.#said.delete(peer.url);
    this.#follow(peer, addresses);
  }

  #follow(peer: PeerUrl, addresses: readonly string[]): void {
    const { log } = this.#options;
    for (const source of this.#sources.values()) {
      if (source.peer !== peer) continue;
      source.isGone = !addresses.includes(source.address);
      if (source.isGone && source.state !== 'heard') this.#drop(source);
    }
    for (const address of addresses) {
      const name = `${peer.url} ${address}`;
      if (this.#sources.has(name)) continue;
      if (this.#sources.size >= sourcesMax) {
        this.#say(peer.url, 'too many', () =>
          log.warning(`routers at ${peer.url}: beyond ${sourcesMax} addresses none is heard`),
        );
        return;
      }
      this.#sources.set(name, this.#open(peer, address));
    }
  }

  #open(peer: PeerUrl, address: string): NewsSource {
    const { key, ticker, onNews } = this.#options;
    const { reconnectMs = 100, silenceMs = silenceMaxMs, random = Math.random } = this.#options;
    const source: NewsSource = new NewsSource({
      ...{ peer, address, key, ticker, onNews, reconnectMs, silenceMs, random },
      claim: (router) => this.#claim(router, source),
      onLost: (router) => {
        this.#heardAt.delete(router);
        this.#options.onLost(router);
      },
      onChange: (changed) => this.#changed(changed),
    });
    return source;
  }

  #claim(router: string, source: NewsSource): PeerClaim {
    if (router === this.#options.router) return 'self';
    if (this.#heardAt.has(router)) return 'twin';
    this.#heardAt.set(router, source);
    return 'peer';
  }

  #changed(source: NewsSource): void {
    const { log } = this.#options;
    const { name, state, problem, isFault, settled, router } = source;
    if (state === 'waiting') {
      const what = settled ? 'is not heard any more' : 'is not heard';
      const level = settled || isFault ? 'warning' : 'info';
      // While there is no connection, the reasons for it may change with each attempt.
      this.#say(name, isFault ? problem : 'waiting', () =>
        log[level](`router at ${name} ${what}: ${problem}`),
      );
      if (source.isGone) this.#drop(source);
    } else if (state === 'heard') {
      if (settled)
        this.#say(name, 'heard', () => log.info(`router at ${name} is heard (${router})`));
    } else this.#say(name, problem, () => log.debug(`router at ${name}: ${problem}`));
  }

  #drop(source: NewsSource): void {
    source.close();
    this.#sources.delete(`${source.peer.url} ${source.address}`);
    this.#said.delete(source.name);
  }

  #say(about: string, what: string, log: () => void): void {
    if (this.#said.get(about) === what) return;
    this.#said.set(about, what);
    log();
  }
}

async function systemLookup(hostname: string): Promise<readonly string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

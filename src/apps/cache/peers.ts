// Other cache servers: a value is kept by the servers that its key belongs to, and found through any of them.
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContext } from 'node:tls';
import { clientKey, type OtherServers, type TieredStore } from '../../core/cache/index.ts';
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import { openRespCommands, type RespCommands } from '../../io/cache-client/index.ts';
import { CountedEvents, type Logger } from '../../io/log/index.ts';
import type { SharedKey } from '../../io/secrets/index.ts';
import { infoOf, readInfo } from './commands/peer.ts';
import { PeerHealth } from './peer-health.ts';
import { type Cluster, SlotOwners } from './slot-owners.ts';

export interface PeerOptions {
  /** This server's own name, as it stands in `members`. */
  readonly self: string;
  /** All servers, this one too: `host:port` of Redis' protocol. */
  readonly members: readonly string[];
  /** Servers that keep each value. */
  readonly copies: number;
  readonly password: string | undefined;
  /** Shared by all servers. @default their certificates show who they are */
  readonly key?: Pick<SharedKey, 'current' | 'isRight'> | undefined;
  /** Told of servers that are gone or come back, and of values that are not sent. @default nobody */
  readonly log?: Pick<Logger, 'info' | 'warning'> | undefined;
  /** For a new connection to another server; undefined without TLS. */
  readonly tlsContext?: (() => SecureContext) | undefined;
  /** Name that the others' certificates must have. @default the host of each */
  readonly serverName?: string | undefined;
  /** Time for one request to another server. */
  readonly timeoutMs: number;
  /** Bytes that may wait to be sent; values beyond are not copied. */
  readonly waitingBytesMax: number;
  /** Bytes per second at which keys are handed over. */
  readonly handOverBytesPerSecond: number;
  /** Time between checks of the others. @default 1 s */
  readonly checkMs?: number | undefined;
}

const checkMsDefault = 1000;
/** Checks have connections of their own: values on the others may take long. */
const checkTimeoutMs = 1000;

const counts = {
  copied: 'Values that were sent to other servers.',
  fetched: 'Values that came from other servers.',
  missed: 'Values that no other server had.',
  dropped: 'Values that were not sent: too many waited, or the other server was gone.',
  failed: 'Requests to other servers that got no reply.',
  handed_over: 'Values that moved because a server joined or left.',
} as const;

export class Peers implements OtherServers {
  readonly #options: PeerOptions;
  readonly #store: TieredStore;
  readonly #connections = new Map<string, RespCommands>();
  readonly #checks = new Map<string, RespCommands>();
  readonly #health: PeerHealth;
  readonly #checkTimer: NodeJS.Timeout;
  readonly #dropped: CountedEvents;
  #slots: SlotOwners;
  /** Those of the servers that reply: where cluster clients are sent. */
  #reachable: SlotOwners;
  #waitingBytes = 0;
  readonly #sending = new Set<Promise<void>>();
  readonly stats = { copied: 0, fetched: 0, missed: 0, dropped: 0, failed: 0, handed_over: 0 };

  constructor(store: TieredStore, options: PeerOptions) {
    this.#store = store;
    this.#options = options;
    this.#slots = new SlotOwners(options.members, options.copies);
    this.#reachable = this.#slots;
    this.#health = new PeerHealth(
      (name) => this.#checkConnection(name).ask(['PING'], 'there'),
      (name, failure) => {
        this.#gone();
        this.#noteChange(name, failure);
      },
    );
    this.#dropped = new CountedEvents({
      report: (count, causes) =>
        options.log?.warning(
          `--peers: ${count === 1 ? '1 value was' : `${count} values were`} not sent to other servers: ${causes}`,
        ),
    });
    const { checkMs = checkMsDefault } = options;
    this.#checkTimer = setInterval(() => void this.#health.check(this.#others), checkMs).unref();
  }

  get members(): readonly string[] {
    return this.#slots.members;
  }

  /** The servers and their slots, for cluster clients. */
  get cluster(): Cluster {
    return { self: this.#options.self, slots: this.#reachable };
  }

  /** Other servers that do not reply, or refuse this one. */
  get gone(): readonly string[] {
    return this.#others.filter((name) => this.#health.isGone(name));
  }

  mayHave(key: string): boolean {
    return this.#ownersBut(key).length > 0;
  }

  keepsCopy(key: string): boolean {
    return this.#slots.ofKey(clientKey(key)).indexOf(this.#options.self) > 0;
  }

  /** Asks the servers that keep the key, one after the other. */
  async fetch(key: string): Promise<boolean> {
    for (const name of this.#ownersBut(key)) {
      if (this.#health.isGone(name)) continue;
      try {
        if (!(await this.#fetchFrom(name, key))) continue;
        this.stats.fetched++;
        return true;
      } catch {
        // A server that is gone costs what it alone had.
        this.stats.failed++;
      }
    }
    this.stats.missed++;
    return false;
  }

  stored(key: string): void {
    for (const name of this.#ownersBut(key)) {
      const sent = this.#send(name, key, 'copied').finally(() => this.#sending.delete(sent));
      this.#sending.add(sent);
    }
  }

  /** A client has deleted keys. */
  deleted(keys: readonly string[]): void {
    const last = keys.at(-1);
    if (last === undefined) return;
    this.#tellAll(['PEER.DEL', ...keys.slice(0, -1)], last);
  }

  cleared(space?: string): void {
    if (space === undefined) this.#tellAll([], 'PEER.FLUSH');
    else this.#tellAll(['PEER.FLUSH'], space);
  }

  /** Resolves when what was to be sent is sent, or cannot be. */
  async flushed(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  /**
   * The servers are others from now on. Values whose keys belong to servers that did not keep them before are sent there, at a
   * bounded rate.
   */
  async change(members: readonly string[], signal?: AbortSignal): Promise<void> {
    const before = this.#slots;
    this.#slots = new SlotOwners(members, this.#options.copies);
    this.#gone();
    for (const connections of [this.#connections, this.#checks]) {
      for (const [name, connection] of connections) {
        if (members.includes(name)) continue;
        connection.close();
        connections.delete(name);
      }
    }
    let cursor = 0;
    do {
      const step = this.#store.scan(cursor, 64);
      cursor = step.next;
      for (const key of step.keys) {
        if (signal?.aborted) return;
        if (!this.keepsCopy(key)) this.#store.own(key);
        const old = before.ofKey(clientKey(key));
        if (!old.includes(this.#options.self)) continue;
        for (const name of this.#slots.ofKey(clientKey(key))) {
          if (name === this.#options.self || old.includes(name)) continue;
          const bytes = this.#store.size(key) ?? 0;
          await this.#send(name, key, 'handed_over');
          const seconds = bytes / this.#options.handOverBytesPerSecond;
          await sleep(1000 * seconds, undefined, { signal }).catch(() => {});
        }
      }
    } while (cursor !== 0);
  }

  /** Hands over what this server keeps, as it is about to leave. */
  leave(signal?: AbortSignal): Promise<void> {
    const { self } = this.#options;
    return this.change(
      this.members.filter((name) => name !== self),
      signal,
    );
  }

  close(): void {
    clearInterval(this.#checkTimer);
    this.#dropped.flush();
    for (const connections of [this.#connections, this.#checks]) {
      for (const connection of connections.values()) connection.close();
      connections.clear();
    }
  }

  get #others(): readonly string[] {
    return this.members.filter((name) => name !== this.#options.self);
  }

  /** Slots of servers that are gone fall to the next ones; what these lack, they fetch, or it is a miss. */
  #gone(): void {
    const there = this.members.filter((name) => !this.#health.isGone(name));
    this.#reachable =
      there.length === this.members.length
        ? this.#slots
        : new SlotOwners(there, this.#options.copies);
  }

  #ownersBut(key: string): readonly string[] {
    const { self } = this.#options;
    return this.#slots.ofKey(clientKey(key)).filter((name) => name !== self);
  }

  async #fetchFrom(name: string, key: string): Promise<boolean> {
    const connection = this.#connection(name);
    let text = '';
    const info = await connection.ask(['PEER.INFO'], key, (bytes) => {
      text += Buffer.from(bytes).toString('latin1');
    });
    const read = info.size === undefined ? undefined : readInfo(text);
    if (read === undefined) return false;
    const parts: Buffer[] = [];
    const { size } = await connection.ask(['GET'], key, (bytes) => parts.push(Buffer.from(bytes)));
    if (size === undefined) return false;
    const writer = this.#store.receiveFetched(key, size, read.label);
    for (const part of parts) writer.write(part);
    if (writer.checksum === read.checksum) return writer.commit(read.ttlSeconds);
    writer.abort();
    return false;
  }

  async #send(name: string, key: string, counted: 'copied' | 'handed_over'): Promise<void> {
    const value = this.#store.peek(key);
    if (value === undefined) return;
    const { size } = value;
    try {
      if (this.#waitingBytes + size > this.#options.waitingBytesMax) {
        this.#drop('too many wait');
        return;
      }
      this.#waitingBytes += size;
      try {
        const info = infoOf(this.#store.ttlSeconds(key), value);
        await this.#connection(name).ask(['PEER.SET', key, ...info], value.spans);
        this.stats[counted]++;
      } finally {
        this.#waitingBytes -= size;
      }
    } catch {
      this.#drop(`${name} takes none`);
    } finally {
      value.release();
    }
  }

  #drop(cause: string): void {
    this.stats.dropped++;
    this.#dropped.add(cause);
  }

  #noteChange(name: string, failure: unknown): void {
    const { log } = this.#options;
    if (failure === undefined) log?.info(`--peers: the server ${name} replies again`);
    else {
      const { message } = failure as Error;
      log?.warning(`--peers: the server ${name} is gone; its keys are misses. ${message}`);
    }
  }

  #tellAll(args: readonly string[], last: string): void {
    for (const name of this.#others) {
      this.#connection(name)
        .ask(args, last)
        .catch(() => {
          this.stats.failed++;
        });
    }
  }

  #connection(name: string): RespCommands {
    return this.#connections.get(name) ?? this.#open(name, this.#connections, {});
  }

  #checkConnection(name: string): RespCommands {
    const options = { timeoutMs: checkTimeoutMs, retryMs: 0 };
    return this.#checks.get(name) ?? this.#open(name, this.#checks, options);
  }

  #open(
    name: string,
    connections: Map<string, RespCommands>,
    own: { readonly timeoutMs?: number; readonly retryMs?: number },
  ): RespCommands {
    const { password, timeoutMs, tlsContext: context, serverName } = this.#options;
    const at = name.lastIndexOf(':');
    const address = {
      ...({ protocol: 'resp', user: undefined, password } as const),
      isTls: context !== undefined,
      ...{ host: hostOfMember(name), port: Number(name.slice(at + 1)) },
    };
    const options = { timeoutMs, tls: { context, serverName }, ...own };
    // Asked for each connection: the keys of a file change.
    const greeting = (): readonly [string, ...string[]] => {
      const { key } = this.#options;
      return key === undefined ? ['PEER.HELLO'] : ['PEER.HELLO', key.current];
    };
    const opened = openRespCommands(address, options, greeting);
    connections.set(name, opened);
    return opened;
  }
}

/** The host of `host:port`; an IPv6 address without its brackets. */
export function hostOfMember(name: string): string {
  return name.slice(0, name.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

/** Declares the metrics of other servers. */
export function declarePeers(registry: MetricsRegistry, peers: Peers): void {
  const members = registry
    .gauge({
      name: 'spillway_cache_peers_members',
      help: 'Servers that share the keys, including this one.',
    })
    .with();
  const gone = registry
    .gauge({
      name: 'spillway_cache_peers_gone',
      help: 'Other servers that do not reply; cluster clients are sent to the rest.',
    })
    .with();
  const counters = Object.entries(counts).map(([name, help]) => ({
    name: name as keyof typeof counts,
    counter: registry.counter({ name: `spillway_cache_peers_${name}`, help }).with(),
  }));
  registry.onRender(() => {
    members.set(peers.members.length);
    gone.set(peers.gone.length);
    for (const { name, counter } of counters) counter.inc(peers.stats[name] - counter.value);
  });
}

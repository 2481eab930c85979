// A process in front of the store's that keeps the connections of clients while the store restarts. It hands each connection to the
// store's process and keeps a copy of its descriptor, so that no byte passes through it; while there is no store, it answers misses itself.
import type { ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOn } from '../../../io/listen/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { CacheProtocol } from '../cache-metrics.ts';
import { type ClientHandle, detached } from '../client-reads.ts';
import { type AdoptedClient, keepAlive } from '../clients.ts';
import type { ClientState } from '../conversation.ts';
import { listenOnPath } from '../unix-socket.ts';
import { ClientMarks } from './client-marks.ts';
import type { StoreMessage } from './messages.ts';
import { type StandInOptions, standIn } from './stand-in.ts';
import { StoreProcess } from './store-process.ts';

export interface FrontOptions extends StandInOptions {
  readonly host: string;
  /** Port of `lm://`; 0 for any free one. @default none */
  readonly lmPort?: number | undefined;
  /** Port of RESP; 0 for any free one. */
  readonly respPort: number;
  /** Path of a Unix socket for RESP. @default none */
  readonly unixSocket?: string | undefined;
  /**
   * Starts the process of the store with a channel of Node.
   *
   * @param marks Descriptor that it inherits as `marksDescriptor`.
   */
  readonly spawnStore: (marks: number) => ChildProcess;
  readonly log: Logger;
}

/** A connection that is kept. */
interface KeptClient {
  readonly id: number;
  readonly protocol: CacheProtocol;
  readonly handle: ClientHandle;
  session: unknown;
  /** As the stand-in serves it; undefined while it is the store's. */
  here: AdoptedClient | undefined;
  /** Ends the connection of a client that may wait for a reply of a store that is gone; undefined for others. */
  doubt: NodeJS.Timeout | undefined;
}

/** Pauses before a store that fails is started again. */
const retryMsMin = 1000;
const retryMsMax = 30_000;
/**
 * Time in which a client has to send its next request if it is not known whether the store wrote the last reply before it crashed. LMCache
 * waits for ever for a reply that does not come, and its own deadline for a load is 10 s.
 */
const doubtMsMax = 2000;
/** Time for a store that was told to stop, beyond what it takes for its clients. */
const killAfterMs = 5_000;

export class CacheFront {
  /** Where clients connect. */
  readonly urls: string[] = [];
  readonly #options: FrontOptions;
  readonly #servers: readonly Server[];
  readonly #marks = new ClientMarks();
  readonly #standIn: ReturnType<typeof standIn>;
  readonly #clients = new Map<number, KeptClient>();
  /** Numbers of clients that are gone; the next one gets the last of them. */
  readonly #freeIds: number[] = [];
  #store: StoreProcess | undefined;
  #isReleasing = false;
  #isClosing = false;
  #restarted: Promise<void> | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#standIn = standIn(options);
    this.#servers = (['lm', 'resp', 'resp'] as const).map((protocol) =>
      createServer({ ...keepAlive, noDelay: true, pauseOnConnect: true }, (accepted) => {
        this.#accept(protocol, detached(accepted));
      }),
    );
  }

  /**
   * Listens, and starts the store.
   *
   * @returns Undefined once the store serves clients, or the exit status of one that cannot be started.
   * @throws {InputError} If a port cannot be used.
   */
  async open(): Promise<number | undefined> {
    try {
      await this.#listen();
    } catch (error) {
      this.#end();
      throw error;
    }
    const { store, urls } = await this.#start();
    if (urls === undefined) {
      this.#isClosing = true;
      this.#end();
      return store.exitCode ?? 1;
    }
    this.urls.push(...urls);
    void this.#keepRunning(store);
    return undefined;
  }

  /** Stops the store once no request is in progress, and starts it again: with another version of the program, perhaps. */
  restart(): Promise<void> {
    this.#restarted ??= this.#restart().finally(() => {
      this.#restarted = undefined;
    });
    return this.#restarted;
  }

  /**
   * Ends the store, which first serves the requests in progress, and all connections.
   *
   * @param timeoutMs Time that the store has for it.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    for (const server of this.#servers) server.close();
    const store = this.#store;
    if (store !== undefined) {
      store.kill('SIGTERM');
      const timer = setTimeout(() => store.kill('SIGKILL'), timeoutMs + killAfterMs);
      await store.ended;
      clearTimeout(timer);
    }
    this.#end();
  }

  async #listen(): Promise<void> {
    const { host, lmPort, respPort, unixSocket } = this.#options;
    const [lm, resp, unix] = this.#servers as [Server, Server, Server];
    if (lmPort !== undefined) {
      this.urls.push(`lm://${host}:${await listenOn(lm, host, lmPort, '--port')}`);
    }
    this.urls.push(`redis://${host}:${await listenOn(resp, host, respPort, '--resp-port')}`);
    if (unixSocket !== undefined) {
      await listenOnPath(unix, unixSocket);
      this.urls.push(`unix://${unixSocket}`);
    }
  }

  async #restart(): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#isClosing) return;
    this.#isReleasing = true;
    store.send({ kind: 'release' });
    await store.ended;
    while (!this.#store?.isReady && !this.#isClosing) await sleep(10);
  }

  /** Starts the store again whenever it ends. */
  async #keepRunning(store: StoreProcess): Promise<void> {
    const { log } = this.#options;
    let running = store;
    let retryMs = 0;
    for (;;) {
      await running.ended;
      this.#store = undefined;
      this.#takeBack();
      if (this.#isClosing) return;
      const endedAt = performance.now();
      if (this.#isReleasing) log.info('The store has stopped for a restart; values are misses.');
      else
        log.error(
          'The store ended on its own; it is started again. Until then, values are misses.',
        );
      this.#isReleasing = false;
      for (;;) {
        await sleep(retryMs);
        if (this.#isClosing) return;
        const { store: next, urls } = await this.#start();
        running = next;
        if (urls !== undefined || this.#isClosing) break;
        retryMs = Math.min(retryMsMax, Math.max(retryMsMin, 2 * retryMs));
        log.error(`The store does not start; the next try is in ${retryMs / 1000} s.`);
      }
      retryMs = 0;
      log.info(
        `The store serves clients again, ${Math.round(performance.now() - endedAt)} ms after it ended.`,
      );
    }
  }

  /** @returns The URLs of its own ports; undefined if it ended before it was ready. */
  async #start(): Promise<{ store: StoreProcess; urls: readonly string[] | undefined }> {
    let ready = (_urls: readonly string[]) => {};
    const isReady = new Promise<readonly string[]>((resolve) => {
      ready = resolve;
    });
    const store = new StoreProcess(this.#options.spawnStore(this.#marks.descriptor), (message) => {
      if (message.kind === 'ready') ready(message.urls);
      else this.#heard(message);
    });
    this.#store = store;
    const urls = await Promise.race([isReady, store.ended.then(() => undefined)]);
    if (urls === undefined) {
      this.#store = undefined;
      return { store, urls };
    }
    const { sizes } = this.#standIn.spaces;
    if (sizes.length > 0) store.send({ kind: 'sizes', sizes });
    for (const client of this.#clients.values()) this.#toStore(client);
    return { store, urls };
  }

  #heard(message: Exclude<StoreMessage, { kind: 'ready' }>): void {
    if (message.kind === 'sizes') {
      this.#standIn.spaces.learn(message.sizes);
      return;
    }
    const client = this.#clients.get(message.id);
    if (client === undefined) return;
    if (message.kind === 'closed') this.#drop(client);
    else {
      client.session = message.session;
      this.#serveHere(client);
    }
  }

  #accept(protocol: CacheProtocol, handle: ClientHandle): void {
    const id = this.#freeIds.pop() ?? this.#clients.size;
    this.#marks.set(id, 'idle');
    const none = { session: undefined, here: undefined, doubt: undefined };
    const client: KeptClient = { id, protocol, handle, ...none };
    this.#clients.set(id, client);
    if (this.#store?.isReady && !this.#isReleasing) this.#sendToStore(client);
    else this.#serveHere(client);
  }

  /** Serves a client without a store. */
  #serveHere(client: KeptClient): void {
    client.here = this.#standIn.adopt(client.protocol, client.handle, {
      session: client.session,
      mark: client.doubt && ((state) => this.#marked(client, state)),
      closed: () => this.#drop(client),
    });
  }

  /** A client that sends a request has the reply to the one before. */
  #marked(client: KeptClient, state: ClientState): void {
    clearTimeout(client.doubt);
    if (state !== 'idle' || client.doubt === undefined) return;
    client.doubt = undefined;
    if (this.#store?.isReady && !this.#isReleasing) this.#toStore(client);
  }

  /** Hands a client to the store, once the stand-in has replied. */
  #toStore(client: KeptClient): void {
    if (client.doubt !== undefined) return;
    client.here?.release((_handle, session) => {
      client.session = session;
      client.here = undefined;
      // Meanwhile, that store may be gone.
      if (this.#store?.isReady && !this.#isReleasing) this.#sendToStore(client);
      else this.#serveHere(client);
    });
  }

  #sendToStore({ id, protocol, handle, session }: KeptClient): void {
    this.#store?.send({ kind: 'client', id, protocol, session }, handle);
  }

  /**
   * Takes the clients that a store had when it ended. Over lm://, one without a request in progress can go on, and so can one whose reply
   * was just being written if it shows that it has it; of others, it is not known what they wait for, or which protocol version they have
   * chosen.
   */
  #takeBack(): void {
    for (const client of [...this.#clients.values()]) {
      if (client.here !== undefined) continue;
      const state = client.protocol === 'lm' ? this.#marks.of(client.id) : 'busy';
      if (state === 'replying') {
        client.doubt = setTimeout(() => client.here?.close(), doubtMsMax);
      }
      if (state === 'busy') this.#drop(client);
      else this.#serveHere(client);
    }
  }

  #drop({ id, handle, doubt }: KeptClient): void {
    if (!this.#clients.delete(id)) return;
    clearTimeout(doubt);
    handle.close();
    this.#freeIds.push(id);
  }

  #end(): void {
    for (const server of this.#servers) server.close();
    for (const client of [...this.#clients.values()]) this.#drop(client);
    this.#marks.close();
  }
}

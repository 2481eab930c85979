// The side of the store: clients come from the front, and go back to it before an upgrade.
import type { CacheProtocol } from '../cache-metrics.ts';
import type { ClientHandle } from '../client-reads.ts';
import type { AdoptedClient, HandedOver } from '../clients.ts';
import type { KeySpaces } from '../key-spaces.ts';
import { ClientMarks } from './client-marks.ts';
import {
  type FrontMessage,
  marksDescriptor,
  type StoreMessage,
  storeVariable,
} from './messages.ts';

/** What serves the clients. */
export interface LinkedStore {
  adopt(protocol: CacheProtocol, handle: ClientHandle, options: HandedOver): AdoptedClient;
  readonly spaces: KeySpaces;
  /** Of ports that the store itself listens on. */
  readonly urls: readonly string[];
}

/** The channel to the front. */
export class StoreLink {
  /** Resolves when the front wants its clients back, or is gone. */
  readonly stopped: Promise<void>;
  readonly #marks = new ClientMarks(marksDescriptor);
  readonly #clients = new Map<number, AdoptedClient>();
  #store: LinkedStore | undefined;
  #isWanted = false;
  #isReleasing = false;
  #onEmpty = () => {};

  constructor() {
    let stop = () => {};
    this.stopped = new Promise((resolve) => {
      stop = resolve;
    });
    process.once('disconnect', stop);
    // A terminal that closes sends it to both.
    process.on('SIGHUP', () => {});
    process.on('message', (message: FrontMessage, handle) => {
      if (message.kind === 'release') {
        this.#isWanted = true;
        stop();
      } else if (message.kind === 'sizes') this.#store?.spaces.learn(message.sizes);
      else this.#take(message, handle as unknown as ClientHandle);
    });
    // A store that fails before it serves clients must not wait for any.
    process.channel?.unref();
  }

  /** Tells the front that the store serves clients. */
  start(store: LinkedStore): void {
    this.#store = store;
    process.channel?.ref();
    this.#send({ kind: 'ready', urls: store.urls });
  }

  /**
   * Gives each client back once it has no request in progress, if the front wants them.
   *
   * @param timeoutMs Time after which clients stay; their connections end with this process.
   */
  async giveBack(timeoutMs: number): Promise<void> {
    if (!this.#isWanted) return;
    this.#isReleasing = true;
    const isOver = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#store !== undefined) {
      this.#send({ kind: 'sizes', sizes: this.#store.spaces.sizes });
    }
    for (const [id, client] of this.#clients) this.#giveBack(id, client);
    if (this.#clients.size === 0) this.#onEmpty();
    await isOver;
  }

  /** Lets the process end. */
  close(): void {
    if (process.connected) process.disconnect();
  }

  #take({ id, protocol, session }: FrontMessage & { kind: 'client' }, handle: ClientHandle): void {
    const client = this.#store?.adopt(protocol, handle, {
      session,
      mark: (state) => this.#marks.set(id, state),
      closed: () => {
        this.#send({ kind: 'closed', id });
        this.#forget(id);
      },
    });
    if (client === undefined) return;
    this.#clients.set(id, client);
    if (this.#isReleasing) this.#giveBack(id, client);
  }

  #giveBack(id: number, client: AdoptedClient): void {
    client.release((handle, session) => {
      handle.close();
      this.#send({ kind: 'released', id, session });
      this.#forget(id);
    });
  }

  #forget(id: number): void {
    this.#clients.delete(id);
    if (this.#isReleasing && this.#clients.size === 0) this.#onEmpty();
  }

  #send(message: StoreMessage): void {
    // Without a front, nobody has to know.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  }
}

/** The link to the front if this process was started by one. */
export function linkToFront(): StoreLink | undefined {
  if (process.env[storeVariable] === undefined || process.send === undefined) return undefined;
  delete process.env[storeVariable];
  return new StoreLink();
}

// Reports to LMCache's controller what one worker stores and evicts, with the messages of LMCache 0.5.6. Unlike LMCache, it
// registers again until a controller replies.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeControllerReply,
  encodeLmcacheMessage,
  type MessageValue,
  type PeerMatch,
} from '../../core/lmcache/index.ts';
import { dealerRequest, PushSocket } from '../zmq/index.ts';
import { KeyOperations } from './key-operations.ts';

export interface LmcacheReporterOptions {
  /** `host:port` or `tcp://host:port` of the controller: `controller_pull_url` and `controller_reply_url`. */
  readonly pullUrl: string;
  readonly replyUrl: string;
  readonly instanceId: string;
  readonly workerId: number;
  /** Where the worker is, as it says. */
  readonly ip: string;
  /** Port for orders; 0 if it takes none. */
  readonly port: number;
  /** `host:port` where other engines begin to fetch chunks; undefined without P2P. */
  readonly peerInitUrl?: string | undefined;
  /** Interval of heartbeats; undefined for none, LMCache's default. */
  readonly heartbeatSeconds: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** Operations are sent at this many, or after this long: LMCache's own values. */
const operationsMax = 50;
const flushMs = 10;
/** Keys per message of a full sync, as in LMCache. */
const syncBatchKeys = 2000;
/** A controller that is there replies at once. */
const replyMs = 5_000;
const retryMs = 2_000;
/** Time without lookups after one that had no reply: each would hold up a request. */
const silentMs = 10_000;
/** After so many requests in a row without a reply, this is logged once: a router may start after its engines. */
const failuresMax = 10;
/** How often the end of a full sync is asked for; then the worker goes on. */
const statusPollsMax = 60;
const statusPollMs = 500;

export class LmcacheReporter {
  readonly #options: LmcacheReporterOptions;
  readonly #push: PushSocket;
  readonly #locations = new Map<string, KeyOperations>();
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isRegistered = false;
  #isSyncing = false;
  /** When a lookup may be sent again. */
  #nextLookupMs = 0;
  /** Requests in a row without a reply. */
  #failures = 0;

  /** Starts at once. @throws {InputError} If an address is malformed. */
  constructor(options: LmcacheReporterOptions) {
    this.#options = options;
    this.#push = new PushSocket({ endpoint: endpointOf(options.pullUrl) });
    void this.#run();
  }

  /** A chunk is in a location, e.g. LocalCPUBackend. */
  admit(location: string, key: bigint): void {
    if (this.#operationsOf(location).admit(key)) this.#flushSoon(location);
  }

  evict(location: string, key: bigint): void {
    if (this.#operationsOf(location).evict(key)) this.#flushSoon(location);
  }

  /**
   * Asks who has the beginning of a prompt in host memory.
   *
   * @param hashes Of its chunks, in order.
   * @returns Undefined for nobody, and if the controller does not reply.
   */
  async lookup(hashes: readonly bigint[]): Promise<PeerMatch | undefined> {
    if (!this.#isRegistered || hashes.length === 0) return undefined;
    if (performance.now() < this.#nextLookupMs) return undefined;
    const reply = await this.#ask('BatchedP2PLookupMsg', { hashes });
    if (reply === undefined) this.#nextLookupMs = performance.now() + silentMs;
    return reply?.peer;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closed.abort();
    this.#push.send([this.#message('DeRegisterMsg', this.#place)]);
    await this.#push.close();
  }

  #operationsOf(location: string): KeyOperations {
    let operations = this.#locations.get(location);
    if (operations === undefined) {
      operations = new KeyOperations();
      this.#locations.set(location, operations);
    }
    return operations;
  }

  #flushSoon(location: string): void {
    if (this.#operationsOf(location).waiting >= operationsMax) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), flushMs).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isRegistered || this.#isSyncing) return;
    for (const [location, keys] of this.#locations) {
      if (keys.waiting === 0) continue;
      const operations = keys.take();
      // A message without a connection is lost; the next one has a later number, so the controller notices.
      this.#push.send([this.#message('BatchedKVOperationMsg', { location, operations })]);
    }
  }

  /** Registers, then sends heartbeats until it is closed. */
  async #run(): Promise<void> {
    const { signal } = this.#closed;
    const heartbeatUrl = await this.#register();
    const { heartbeatSeconds } = this.#options;
    while (!signal.aborted && heartbeatUrl !== undefined && heartbeatSeconds) {
      await pause(heartbeatSeconds * 1000, signal);
      const reply = await this.#ask('HeartbeatMsg', this.#place, heartbeatUrl);
      if (reply?.commands.includes('full_sync')) {
        for (const location of this.#locations.keys()) await this.#sync(location);
      }
    }
  }

  /** @returns Where heartbeats go; undefined for nowhere. */
  async #register(): Promise<string | undefined> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const reply = await this.#ask('RegisterMsg', this.#place);
      if (reply?.type === 'RegisterRetMsg') {
        for (const keys of this.#locations.values()) keys.restart();
        this.#isRegistered = true;
        this.#flush();
        return reply.heartbeatUrl;
      }
      await pause(retryMs, signal);
    }
    return undefined;
  }

  /** Sends all keys of a location. What changes meanwhile is sent afterwards. */
  async #sync(location: string): Promise<void> {
    const operations = this.#operationsOf(location);
    operations.skip();
    const keys = [...operations.keys];
    const batches: (readonly bigint[])[] = [];
    for (let from = 0; from < keys.length; from += syncBatchKeys) {
      batches.push(keys.slice(from, from + syncBatchKeys));
    }
    const sync = { location, sync_id: randomUUID() };
    const sendBatch = (batch_id: number) =>
      this.#push.send([
        this.#message('FullSyncBatchMsg', { ...sync, batch_id, keys: batches[batch_id] ?? [] }),
      ]);
    this.#isSyncing = true;
    try {
      const started = await this.#ask('FullSyncStartMsg', {
        ...{ ...sync, total_keys: keys.length, batch_count: batches.length },
      });
      if (!started?.isAccepted) return;
      for (let batch = 0; batch < batches.length; batch++) sendBatch(batch);
      this.#push.send([
        this.#message('FullSyncEndMsg', { ...sync, actual_total_keys: keys.length }),
      ]);
      for (let poll = 0; poll < statusPollsMax && !this.#closed.signal.aborted; poll++) {
        const status = await this.#ask('FullSyncStatusMsg', { sync_id: sync.sync_id });
        if (status === undefined || status.canExitFreeze) return;
        for (const batch of status.missingBatches) if (batch < batches.length) sendBatch(batch);
        await pause(statusPollMs, this.#closed.signal);
      }
    } finally {
      this.#isSyncing = false;
      this.#flush();
    }
  }

  get #place() {
    const { ip, port, peerInitUrl } = this.#options;
    return { ip, port, peer_init_url: peerInitUrl ?? null };
  }

  /** @returns Undefined if there is no reply; logged once until there is one. */
  async #ask(
    type: string,
    fields: Readonly<Record<string, MessageValue>>,
    url = this.#options.replyUrl,
  ) {
    let reply: ReturnType<typeof decodeControllerReply> | undefined;
    try {
      await dealerRequest({
        endpoint: endpointOf(url),
        frames: [new Uint8Array(), this.#message(type, fields)],
        ...{ timeoutMs: replyMs, signal: this.#closed.signal },
        onMessage: (frames) => {
          reply = decodeControllerReply(frames.at(-1) ?? new Uint8Array());
          return true;
        },
      });
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      if (this.#failures === failuresMax && !this.#closed.signal.aborted) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.log?.(`LMCache's controller at ${url} does not reply: ${reason}`);
      }
    }
    return reply;
  }

  #message(type: string, fields: Readonly<Record<string, MessageValue>>): Uint8Array {
    const { instanceId: instance_id, workerId: worker_id } = this.#options;
    return encodeLmcacheMessage({ type, instance_id, worker_id, ...fields });
  }
}

/** LMCache's settings have no scheme. */
function endpointOf(url: string): string {
  return url.includes('://') ? url : `tcp://${url}`;
}

/** Ends early, without an error, when the signal aborts. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => {});
}

// Fetches chunks from the host memory of other engines.
import { NoResponseError } from '../../core/base/index.ts';
import {
  decodePeerMessage,
  type PeerMessage,
  peerErrors,
  peerGetRequest,
  peerInitRequest,
  peerPutRequest,
  peerSideRequest,
} from '../../core/lmcache/index.ts';
import { dealerRequest } from '../zmq/index.ts';

export interface PeerClientOptions {
  /** `host:port` of the reader's own handshake, by which peers know it. */
  readonly ownInitUrl: string;
  /** Size of each chunk. */
  readonly valueBytes: number;
  /** Time for each request, and for each reply of several. */
  readonly timeoutMs: number;
}

/** Bytes of chunks per request. */
const requestBytesMax = 64 << 20;
/** Handshakes that are remembered; there are fewer engines. */
const peersMax = 4096;

export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #closed = new AbortController();
  /** Where lookups go, by the address of the handshake. */
  readonly #lookupUrls = new Map<string, string>();
  #requests = 0;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  /**
   * Fetches chunks up to the first that the peer does not have.
   *
   * @param initUrl `host:port` of the peer's handshake, as the controller says.
   * @param onChunk Called with each chunk in order; its bytes lie in the receive buffer. @returns False to stop.
   * @throws {NoResponseError} If the peer is gone, late, or replies with an error.
   */
  async fetch(
    initUrl: string,
    keys: readonly string[],
    onChunk: (bytes: Uint8Array, index: number) => boolean,
  ): Promise<void> {
    const { valueBytes } = this.#options;
    const atOnce = Math.max(1, Math.floor(requestBytesMax / valueBytes));
    for (let from = 0; from < keys.length; from += atOnce) {
      const some = keys.slice(from, from + atOnce);
      const chunks = await this.#get(initUrl, some, (bytes, i) => onChunk(bytes, from + i));
      if (chunks < some.length) return;
    }
  }

  /**
   * Offers chunks to a peer, which reads those that it lacks before it replies.
   *
   * @param chunkTokens Of each chunk.
   * @returns How many it has read.
   * @throws {NoResponseError} If the peer is gone, late, or replies with an error.
   */
  async offer(initUrl: string, keys: readonly string[], chunkTokens: number): Promise<number> {
    const offsets = keys.map(() => chunkTokens);
    const request = peerPutRequest(this.#options.ownInitUrl, keys, offsets);
    try {
      // A peer that has restarted does not know its senders.
      const url = await this.#shakeHands(initUrl);
      const reply = await this.#ask(url, [request]);
      if (reply.type === 'BatchedLookupAndPutRetMsg') return reply.readChunks;
      throw new NoResponseError(
        `The peer at ${initUrl} replied with error ${reply.errorCode} (${reply.type}).`,
      );
    } catch (error) {
      this.#lookupUrls.delete(initUrl);
      throw error;
    }
  }

  close(): void {
    this.#closed.abort();
  }

  /** @returns How many chunks came. */
  async #get(
    initUrl: string,
    keys: readonly string[],
    onChunk: (bytes: Uint8Array, index: number) => boolean,
  ): Promise<number> {
    const { ownInitUrl, valueBytes } = this.#options;
    const request = peerGetRequest(`${ownInitUrl} ${this.#requests++}`, ownInitUrl, keys);
    const ask = async () => {
      const url = this.#lookupUrls.get(initUrl) ?? (await this.#shakeHands(initUrl));
      let taken = 0;
      const reply = await this.#ask(url, [request], keys.length * valueBytes, (chunks) => {
        for (const chunk of chunks) if (!onChunk(chunk, taken++)) break;
      });
      return { ...reply, taken };
    };
    const isStale = ({ type, errorCode }: PeerMessage) =>
      type === 'P2PErrorMsg' && errorCode === peerErrors.noHandshake;
    try {
      let reply = await ask();
      // A peer that has restarted does not know its readers.
      if (isStale(reply)) {
        this.#lookupUrls.delete(initUrl);
        reply = await ask();
      }
      if (reply.type === 'BatchedLookupAndGetRetMsg') return Math.min(reply.hitChunks, reply.taken);
      throw new NoResponseError(
        `The peer at ${initUrl} replied with error ${reply.errorCode} (${reply.type}).`,
      );
    } catch (error) {
      this.#lookupUrls.delete(initUrl);
      throw error;
    }
  }

  /** Makes the reader known to a peer. @returns Where lookups go. */
  async #shakeHands(initUrl: string): Promise<string> {
    const { ownInitUrl } = this.#options;
    await this.#ask(initUrl, [peerInitRequest(ownInitUrl)]);
    const { lookupUrl } = await this.#ask(initUrl, [peerSideRequest()]);
    if (lookupUrl === '') {
      throw new NoResponseError(`The peer at ${initUrl} does not say where its lookups go.`);
    }
    if (this.#lookupUrls.size >= peersMax) this.#lookupUrls.clear();
    this.#lookupUrls.set(initUrl, lookupUrl);
    return lookupUrl;
  }

  async #ask(
    url: string,
    request: readonly Uint8Array[],
    replyBytes = 0,
    onBodies: (bodies: readonly Uint8Array[]) => void = () => {},
  ): Promise<PeerMessage> {
    const { timeoutMs, valueBytes } = this.#options;
    let reply: PeerMessage | undefined;
    try {
      await dealerRequest({
        endpoint: `tcp://${url}`,
        frames: [new Uint8Array(), ...request],
        ...{ timeoutMs, signal: this.#closed.signal },
        limits: {
          frameBytesMax: valueBytes + 4096,
          messageBytesMax: replyBytes + 65_536,
          messageFramesMax: 2 + Math.ceil(replyBytes / valueBytes),
        },
        onMessage: ([, head = new Uint8Array(), ...bodies]) => {
          reply = decodePeerMessage(head);
          onBodies(bodies);
          return true;
        },
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new NoResponseError(`The peer at ${url} sends nothing: ${reason}`, { cause });
    }
    if (reply !== undefined) return reply;
    throw new NoResponseError(`The peer at ${url} sends nothing.`);
  }
}

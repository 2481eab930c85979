// Lends chunks to other engines, and takes those that they offer, with the sockets and messages of LMCache's P2P backend. LMCache itself writes the bytes into
// the reader's memory (NIXL, RDMA); here they are frames behind the reply.
import { LruMap } from '../../core/base/index.ts';
import {
  decodePeerMessage,
  type PeerMessage,
  peerError,
  peerErrors,
  peerGetResponse,
  peerInitResponse,
  peerPutResponse,
  peerSideResponse,
} from '../../core/lmcache/index.ts';
import {
  formatZmqEndpoint,
  type ListeningSocket,
  openRouterSocket,
  parseZmqEndpoint,
  type RouterPeer,
} from '../zmq/index.ts';

export interface PeerServerOptions {
  /** Where it listens. */
  readonly host: string;
  /** `p2p_host`: how other engines reach it. */
  readonly publicHost: string;
  /** `p2p_init_ports` and `p2p_lookup_ports`; 0 for any free one. */
  readonly initPort: number;
  readonly lookupPort: number;
  /** Size of each chunk. */
  readonly valueBytes: number;
  /** @returns The bytes of a chunk; undefined if it is not in host memory. */
  readonly lend: (key: string) => Uint8Array | undefined;
  /** Reads chunks that another engine offers. @returns How many were read. */
  readonly take: (initUrl: string, keys: readonly string[]) => Promise<number>;
  /** Called when chunks have been handed to the network. */
  readonly onLent?: ((chunks: number) => void) | undefined;
}

export interface PeerServer {
  /** `host:port` of the handshake, under which an engine is known to its peers. */
  readonly initUrl: string;
  close(): Promise<void>;
}

/** Engines that may ask; one that is forgotten begins with a handshake again. */
const peersMax = 4096;
/** Bytes of chunks on their way out; beyond, chunks are not lent, which costs the reader a computation. */
const lendingBytesMax = 256 << 20;
const limits = { frameBytesMax: 16 << 20, messageBytesMax: 16 << 20, messageFramesMax: 4 };

/** @throws {InputError} If a port cannot be listened on. */
export async function openPeerServer(options: PeerServerOptions): Promise<PeerServer> {
  const peers = new LruMap<string, true>({ entriesMax: peersMax });
  const at = (port: number) => formatZmqEndpoint({ transport: 'tcp', host: options.host, port });
  const lender = new Lender(options, peers);
  const lookups = await openRouterSocket({
    ...{ endpoint: at(options.lookupPort), limits },
    onMessage: (peer, frames) => lender.answer(peer, frames),
  });
  const lookupUrl = hostPort(options.publicHost, lookups);
  const handshakes = await openRouterSocket({
    ...{ endpoint: at(options.initPort), limits },
    onMessage: (peer, frames) => {
      const message = read(frames);
      peer.reply([...frames.slice(0, -1), shake(message, lookupUrl)]);
      if (message?.type === 'PySocketInitRequest') peers.set(message.peer, true);
    },
  }).catch(async (error: unknown) => {
    await lookups.close();
    throw error;
  });
  return {
    initUrl: hostPort(options.publicHost, handshakes),
    async close() {
      await Promise.all([lookups.close(), handshakes.close()]);
    },
  };
}

function shake(message: PeerMessage | undefined, lookupUrl: string): Uint8Array {
  if (message?.type === 'PySocketInitRequest') return peerInitResponse();
  if (message?.type === 'P2PInitSideMsg') return peerSideResponse(lookupUrl);
  return peerError(peerErrors.unknownType);
}

class Lender {
  readonly #options: PeerServerOptions;
  readonly #peers: LruMap<string, true>;
  #lendingBytes = 0;

  constructor(options: PeerServerOptions, peers: LruMap<string, true>) {
    this.#options = options;
    this.#peers = peers;
  }

  answer(peer: RouterPeer, frames: readonly Uint8Array[]): void {
    const message = read(frames);
    const envelope = frames.slice(0, -1);
    if (message?.type === 'BatchedLookupAndPutMsg') {
      void this.#take(message).then((count) => peer.reply([...envelope, peerPutResponse(count)]));
    } else if (message?.type !== 'BatchedLookupAndGetMsg') {
      peer.reply([...envelope, peerError(peerErrors.unknownType)]);
    } else if (this.#peers.get(message.peer) === undefined) {
      peer.reply([...envelope, peerError(peerErrors.noHandshake)]);
    } else void this.#lend(peer, envelope, message.keys);
  }

  /** Only engines that have begun with a handshake are asked for chunks: others could name any address. */
  async #take({ peer, keys }: PeerMessage): Promise<number> {
    if (this.#peers.get(peer) === undefined) return 0;
    return await this.#options.take(peer, keys);
  }

  /** Sends chunks up to the first that is missing. */
  async #lend(
    peer: RouterPeer,
    envelope: readonly Uint8Array[],
    keys: readonly string[],
  ): Promise<void> {
    const { lend, valueBytes, onLent } = this.#options;
    const chunks: Uint8Array[] = [];
    for (const key of keys) {
      if (this.#lendingBytes + valueBytes > lendingBytesMax) break;
      const chunk = lend(key);
      if (chunk === undefined) break;
      chunks.push(chunk);
      this.#lendingBytes += valueBytes;
    }
    peer.reply([...envelope, peerGetResponse(chunks.length), ...chunks]);
    await peer.drained();
    this.#lendingBytes -= chunks.length * valueBytes;
    if (chunks.length > 0) onLent?.(chunks.length);
  }
}

function read(frames: readonly Uint8Array[]): PeerMessage | undefined {
  try {
    return decodePeerMessage(frames.at(-1) ?? new Uint8Array());
  } catch {
    return undefined;
  }
}

function hostPort(host: string, socket: ListeningSocket): string {
  const parsed = parseZmqEndpoint(socket.endpoint);
  const port = parsed.transport === 'tcp' ? parsed.port : 0;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

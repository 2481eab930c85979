// The side channel between engines that hand prompts over to each other. It is where vLLM's NIXL connector has its own, but
// the messages are the emulation's: NIXL moves KV by RDMA, and here the time of a read is emulated and no bytes move.
import {
  dealerRequest,
  formatZmqEndpoint,
  type ListeningSocket,
  openRouterSocket,
  parseZmqEndpoint,
} from '../../../io/zmq/index.ts';
import type { KvPlace } from '../sequences/kv-transfer.ts';

/** `keep` renews the time for which the KV is kept, `read` begins a read, `done` ends it, or says that there will be none. */
export type ChannelVerb = 'keep' | 'read' | 'done';

const verbs: readonly string[] = ['keep', 'read', 'done'] satisfies ChannelVerb[];
const yes = Buffer.from('yes');
const no = Buffer.from('no');
/** An engine that does not respond in this time is taken for lost; a loopback or data centre round trip takes milliseconds. */
const responseMs = 3_000;
const limits = { frameBytesMax: 4096, messageBytesMax: 8192, messageFramesMax: 2 };

export interface ChannelServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @param onMessage Returns whether the engine keeps the KV of this request.
 * @throws {InputError} If the port cannot be listened on.
 */
export async function openChannel(
  host: string,
  port: number,
  onMessage: (verb: ChannelVerb, requestId: string) => boolean,
): Promise<ChannelServer> {
  const socket: ListeningSocket = await openRouterSocket({
    ...{ endpoint: formatZmqEndpoint({ transport: 'tcp', host, port }), limits },
    onMessage(peer, frames) {
      const [verb = '', requestId = ''] = frames.map((frame) => Buffer.from(frame).toString());
      const isKept = verbs.includes(verb) && onMessage(verb as ChannelVerb, requestId);
      peer.reply([isKept ? yes : no]);
    },
  });
  const opened = parseZmqEndpoint(socket.endpoint);
  return {
    port: opened.transport === 'tcp' ? opened.port : port,
    close: () => socket.close(),
  };
}

/** @returns Whether the other engine keeps the KV. @throws If it does not respond in 3 s. */
export async function tell(
  { host, port, requestId }: KvPlace,
  verb: ChannelVerb,
): Promise<boolean> {
  let isKept = false;
  await dealerRequest({
    endpoint: formatZmqEndpoint({ transport: 'tcp', host, port }),
    frames: [Buffer.from(verb), Buffer.from(requestId)],
    ...{ timeoutMs: responseMs, limits },
    onMessage([reply]) {
      isKept = reply !== undefined && yes.equals(reply);
      return true;
    },
  });
  return isKept;
}

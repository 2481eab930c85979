// One ZMTP connection over a socket: does the handshake, then sends and receives whole messages.
import type { Socket } from 'node:net';
import { ZmtpError } from './errors.ts';
import {
  checkGreeting,
  encodeGreeting,
  encodePong,
  encodeReady,
  FrameDecoder,
  greetingBytes,
  parseCommand,
  parseMetadata,
  type ZmtpCommand,
  type ZmtpSocketType,
} from './zmtp.ts';

/** Limits for a peer; a peer that exceeds one is disconnected. */
export interface ZmtpLimits {
  /** Deadline for greeting and READY together. */
  readonly handshakeTimeoutMs: number;
  readonly frameBytesMax: number;
  /** Total size of one message, over all frames. */
  readonly messageBytesMax: number;
  readonly messageFramesMax: number;
}

const defaultZmtpLimits: ZmtpLimits = {
  handshakeTimeoutMs: 10_000,
  // A batch of vLLM events for a 1M-token prompt is about 5 MiB.
  frameBytesMax: 64 * 1024 * 1024,
  messageBytesMax: 64 * 1024 * 1024,
  messageFramesMax: 64,
};

export interface ZmtpHandlers {
  /** The handshake is done; messages may be sent. */
  ready?(): void;
  /** Called with a whole message. Its frames lie in the receive buffer: copy them to keep them. */
  message?(frames: readonly Uint8Array[]): void;
  /** Called with a command other than READY and PING. */
  command?(command: ZmtpCommand): void;
  /** Called once when the connection is gone, whatever the reason. */
  closed?(error: Error | undefined): void;
}

/** Which socket types may talk to each other, from RFC 23. */
const peersOf: Readonly<Record<string, readonly string[]>> = {
  PUB: ['SUB', 'XSUB'],
  SUB: ['PUB', 'XPUB'],
  ROUTER: ['DEALER', 'REQ', 'ROUTER'],
  DEALER: ['ROUTER', 'REP', 'DEALER'],
  PUSH: ['PULL'],
  PULL: ['PUSH'],
};

export class ZmtpConnection {
  readonly #socket: Socket;
  readonly #socketType: ZmtpSocketType;
  readonly #handlers: ZmtpHandlers;
  readonly #limits: ZmtpLimits;
  readonly #decoder: FrameDecoder;
  readonly #handshakeTimer: NodeJS.Timeout;
  #stage: 'greeting' | 'handshake' | 'ready' | 'closed' = 'greeting';
  #frames: Uint8Array[] = [];
  #frameBytes = 0;
  #queuedMessages = 0;
  #error: Error | undefined;

  /** @param socket A connected or connecting socket; the connection owns it from now on. */
  constructor(
    socket: Socket,
    options: {
      readonly socketType: ZmtpSocketType;
      readonly handlers: ZmtpHandlers;
      readonly limits?: Partial<ZmtpLimits> | undefined;
    },
  ) {
    this.#socket = socket;
    this.#socketType = options.socketType;
    this.#handlers = options.handlers;
    this.#limits = { ...defaultZmtpLimits, ...options.limits };
    this.#decoder = new FrameDecoder(this.#limits.frameBytesMax);
    this.#handshakeTimer = setTimeout(() => {
      this.fail(new ZmtpError('The peer did not finish the ZMTP handshake in time.'));
    }, this.#limits.handshakeTimeoutMs);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => {
      clearTimeout(this.#handshakeTimer);
      this.#stage = 'closed';
      this.#handlers.closed?.(this.#error);
    });
    socket.write(encodeGreeting());
  }

  get ready(): boolean {
    return this.#stage === 'ready';
  }

  /** Number of messages sent but not yet accepted by the kernel. */
  get queuedMessages(): number {
    return this.#queuedMessages;
  }

  /** Number of bytes sent but not yet accepted by the kernel. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Address of the peer, for messages to users. */
  get peerName(): string {
    return `${this.#socket.remoteAddress ?? '?'}:${this.#socket.remotePort ?? '?'}`;
  }

  /** Address of this machine to which the peer connected. */
  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  /** Queues an encoded message (`encodeMessage`); several connections may share its bytes. */
  send(message: Uint8Array): void {
    if (this.#stage !== 'ready') return;
    this.#queuedMessages += 1;
    this.#socket.write(message, () => {
      this.#queuedMessages -= 1;
    });
  }

  /** Resolves once the kernel has accepted everything queued, or the connection is gone. */
  async drained(): Promise<void> {
    const socket = this.#socket;
    while (socket.writableNeedDrain && !socket.destroyed) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.on('drain', done);
        socket.on('close', done);
      });
    }
  }

  /** Closes the connection at once. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  /** Sends what is queued, then closes; cuts off a peer that does not close within `lingerMs`. */
  async close(lingerMs = 1000): Promise<void> {
    const socket = this.#socket;
    if (socket.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.ready) socket.end();
      else socket.destroy();
    });
  }

  #receive(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    try {
      this.#read();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #read(): void {
    if (this.#stage === 'greeting') {
      const greeting = this.#decoder.take(greetingBytes);
      if (greeting === undefined) return;
      checkGreeting(greeting);
      this.#stage = 'handshake';
      this.#socket.write(encodeReady(this.#socketType));
    }
    while (this.#stage !== 'closed' && !this.#socket.destroyed) {
      const frame = this.#decoder.next();
      if (frame === undefined) return;
      if (frame.command) this.#onCommand(parseCommand(frame.body));
      else this.#onFrame(frame.body, frame.more);
    }
  }

  #onCommand(command: ZmtpCommand): void {
    if (this.#stage === 'handshake') {
      if (command.name !== 'READY') {
        throw new ZmtpError(`The peer began with the ZMTP command ${command.name}, not READY.`);
      }
      const peerType = parseMetadata(command.data).get('socket-type') ?? 'none';
      if (!peersOf[this.#socketType]?.includes(peerType)) {
        throw new ZmtpError(
          `The peer is a ${peerType} socket, which a ${this.#socketType} socket cannot talk to.`,
        );
      }
      this.#stage = 'ready';
      clearTimeout(this.#handshakeTimer);
      this.#handlers.ready?.();
    } else if (command.name === 'PING') {
      // The data are two bytes of time to live, then a context of at most 16 bytes.
      this.#socket.write(encodePong(command.data.subarray(2, 18)));
    } else if (command.name === 'ERROR') {
      throw new ZmtpError('The peer ended the ZMTP connection with an ERROR command.');
    } else if (command.name !== 'PONG') {
      this.#handlers.command?.(command);
    }
  }

  #onFrame(body: Uint8Array, more: boolean): void {
    if (this.#stage !== 'ready') throw new ZmtpError('The peer sent a message before READY.');
    this.#frames.push(body);
    this.#frameBytes += body.length;
    if (this.#frames.length > this.#limits.messageFramesMax) {
      throw new ZmtpError(`A message has more than ${this.#limits.messageFramesMax} frames.`);
    }
    if (this.#frameBytes > this.#limits.messageBytesMax) {
      throw new ZmtpError(`A message has more than ${this.#limits.messageBytesMax} bytes.`);
    }
    if (more) return;
    const frames = this.#frames;
    this.#frames = [];
    this.#frameBytes = 0;
    this.#handlers.message?.(frames);
  }
}

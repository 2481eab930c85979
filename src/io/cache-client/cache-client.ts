// A client of a cache server: stores, looks up and loads values, whichever protocol its URL names.
import { NoResponseError } from '../../core/base/index.ts';
import { type CacheAddress, lmReplyBytes, lmRequest, readLmReply } from '../../core/lm/index.ts';
import { commandHead, lineEnd, ReplyReader } from '../../core/resp/index.ts';
import { type ClientTls, Connection, type Exchange } from './connection.ts';

/** Receives the bytes of a value as they arrive. */
export type ValueSink = (bytes: Uint8Array, offset: number) => void;

/**
 * Requests may be sent one after the other without waiting; replies come in their order.
 *
 * Each call throws a `NoResponseError` if the server is gone or late; the next one connects again.
 */
export interface CacheClient {
  /** Resolves once the value is sent (`lm://`, which has no reply), or stored. */
  put(key: string, value: Uint8Array): Promise<void>;
  exists(key: string): Promise<boolean>;
  /** @returns The size of the value; undefined for a miss. */
  get(key: string, sink: ValueSink): Promise<number | undefined>;
  close(): void;
}

export interface CacheClientOptions {
  /** Time for each call. @default 10 s, as LMCache's `blocking_timeout_secs` */
  readonly timeoutMs?: number;
  /** Time after a failure in which calls fail at once. @default 1 s */
  readonly retryMs?: number;
  /** For an address with TLS. @default what Node trusts, and the host of the address */
  readonly tls?: ClientTls;
}

/** @example const client = openCacheClient(parseCacheUrl('lm://127.0.0.1:65432', 'URL')); */
export function openCacheClient(
  address: CacheAddress,
  options: CacheClientOptions = {},
): CacheClient {
  return address.protocol === 'lm'
    ? lmClient(new Connection(connectionOptions(address, options)))
    : respClient(openRespCommands(address, options));
}

/** Commands of Redis' protocol, one by one. */
export interface RespCommands {
  /**
   * @param last The last argument, which may be large.
   * @param sink Gets the bytes of a value.
   * @returns The text of a status or a number, and the size of a value; undefined for none.
   * @throws {NoResponseError} If the server is gone or late, or replies with an error.
   */
  ask(
    args: readonly string[],
    last: Uint8Array | string | readonly Uint8Array[],
    sink?: ValueSink,
  ): Promise<{ readonly text: string; readonly size: number | undefined }>;
  close(): void;
}

/** @param greeting A command that is sent first on each connection, which fails if it is refused. */
export function openRespCommands(
  address: CacheAddress,
  options: CacheClientOptions,
  greeting?: () => readonly [string, ...string[]],
): RespCommands {
  const connection = new Connection({
    ...connectionOptions(address, options),
    ...greetingOf(address, greeting),
  });
  return {
    async ask(args, last, sink) {
      const parts =
        typeof last === 'string' ? [latin1Bytes(last)] : last instanceof Uint8Array ? [last] : last;
      const size = parts.reduce((total, { length }) => total + length, 0);
      const reply = new RespExchange(sink);
      await connection.send([commandHead(args, size), ...parts, lineEnd], reply);
      if (reply.error !== undefined) {
        throw new NoResponseError(`The cache server refused ${args[0]}: ${reply.error}`);
      }
      return reply;
    },
    close: () => connection.close(),
  };
}

function connectionOptions(
  { host, port, isTls }: CacheAddress,
  { timeoutMs = 10_000, retryMs = 1000, tls = {} }: CacheClientOptions,
) {
  return { ...{ host, port, timeoutMs, retryMs }, tls: isTls ? tls : undefined };
}

/** Format 4 of LMCache, bytes that are no tensor: 28 bytes of format, dtype, location and shape. */
function binaryLabel(size: number): Uint8Array {
  const label = new Uint8Array(28);
  const view = new DataView(label.buffer);
  view.setInt32(0, 4, true);
  view.setInt32(12, size, true);
  return label;
}

function lmClient(connection: Connection): CacheClient {
  const ask = async (request: Uint8Array, sink?: ValueSink) => {
    const reply = new LmExchange(sink);
    await connection.send([request], reply);
    return reply;
  };
  return {
    put: (key, value) => {
      const head = lmRequest('put', key, value.length, binaryLabel(value.length));
      return connection.send([head, value]);
    },
    exists: async (key) => (await ask(lmRequest('exist', key))).isFound,
    get: async (key, sink) => {
      const { isFound, size } = await ask(lmRequest('get', key), sink);
      return isFound ? size : undefined;
    },
    close: () => connection.close(),
  };
}

/** Reads a header, and the body behind it. */
class LmExchange implements Exchange {
  isFound = false;
  size = 0;
  readonly #sink: ValueSink | undefined;
  readonly #head = new Uint8Array(lmReplyBytes);
  #headLength = 0;
  #received = 0;

  constructor(sink?: ValueSink) {
    this.#sink = sink;
  }

  take(bytes: Uint8Array) {
    let used = 0;
    if (this.#headLength < lmReplyBytes) {
      const part = bytes.subarray(0, lmReplyBytes - this.#headLength);
      this.#head.set(part, this.#headLength);
      this.#headLength += part.length;
      used = part.length;
      if (this.#headLength < lmReplyBytes) return { used, isDone: false };
      const { isFound, length } = readLmReply(this.#head);
      if (length < 0) throw new RangeError(`a reply announces ${length} bytes`);
      this.isFound = isFound;
      // EXIST replies without a body, whatever the length says.
      this.size = isFound && this.#sink ? length : 0;
    }
    const body = bytes.subarray(used, used + this.size - this.#received);
    if (body.length > 0) this.#sink?.(body, this.#received);
    this.#received += body.length;
    return { used: used + body.length, isDone: this.#received === this.size };
  }
}

function respClient(commands: RespCommands): CacheClient {
  return {
    put: async (key, value) => {
      await commands.ask(['SET', key], value);
    },
    exists: async (key) => (await commands.ask(['EXISTS'], key)).text === '1',
    get: async (key, sink) => (await commands.ask(['GET'], key, sink)).size,
    close: () => commands.close(),
  };
}

/** Reads one reply. */
class RespExchange implements Exchange {
  text = '';
  error: string | undefined;
  size: number | undefined;
  #isDone = false;
  #received = 0;
  readonly #reader: ReplyReader;

  constructor(sink?: ValueSink) {
    const done = () => {
      this.#isDone = true;
    };
    this.#reader = new ReplyReader({
      line: (type, text) => {
        if (type === '-') this.error = text;
        this.text = text;
        done();
      },
      none: done,
      value: (size) => {
        this.size = size;
      },
      bytes: (part) => {
        sink?.(part, this.#received);
        this.#received += part.length;
      },
      end: done,
    });
  }

  take(bytes: Uint8Array) {
    const used = this.#reader.push(bytes, () => this.#isDone);
    return { used, isDone: this.#isDone };
  }
}

/** Says who it is: a client that says nothing is taken for LMCache's in C++, which gets misses of its own. */
function greetingOf({ user, password }: CacheAddress, own?: () => readonly [string, ...string[]]) {
  const auth = [
    ...(user === undefined ? [] : [user]),
    ...(password === undefined ? [] : [password]),
  ];
  const common = [
    ...(auth.length === 0 ? [] : [['AUTH', ...auth]]),
    ['CLIENT', 'SETNAME', 'spillway'],
  ];
  return {
    greeting: () => [...common, ...(own === undefined ? [] : [own()])].flatMap(partsOf),
    greeted: () => [
      ...common.map(() => new RespExchange()),
      ...(own === undefined ? [] : [new Admission(own()[0])]),
    ],
  };
}

function partsOf(words: readonly string[]): Uint8Array[] {
  const last = latin1Bytes(words.at(-1) as string);
  return [commandHead(words.slice(0, -1), last.length), last, lineEnd];
}

/** The reply to a command without which the connection is of no use. */
class Admission extends RespExchange {
  readonly #command: string;

  constructor(command: string) {
    super();
    this.#command = command;
  }

  override take(bytes: Uint8Array) {
    const taken = super.take(bytes);
    if (this.error !== undefined) throw new Error(`it refused ${this.#command}: ${this.error}`);
    return taken;
  }
}

function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

// One client that speaks Redis' protocol.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MemoryStore, ValueWriter } from '../../core/cache/index.ts';
import {
  type BulkSink,
  errorReply,
  mapReply,
  ok,
  RequestReader,
  RespSyntaxError,
  type RespVersion,
} from '../../core/resp/index.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { type Reply, type RespCall, respCommands, type StreamedValue } from './resp-commands.ts';

export class RespConnection {
  readonly #call: RespCall;
  readonly #reader: RequestReader;
  readonly #password: string | undefined;
  #isAllowed: boolean;
  #writer: ValueWriter | undefined;
  #isQuitting = false;

  constructor(store: MemoryStore, replies: ReplyWriter, id: number, password: string | undefined) {
    this.#call = { store, replies, id, version: 2, name: '' };
    this.#password = password;
    this.#isAllowed = password === undefined;
    this.#reader = new RequestReader({
      command: (args) => {
        if (this.#isQuitting) return;
        const reply = this.#command(args);
        if (reply !== undefined) replies.write(reply);
        this.#reader.isPaused = replies.isFull;
      },
      streamed: (args, size) => this.#streamed(args, size),
    });
    this.#reader.isStranger = !this.#isAllowed;
  }

  get isWaiting(): boolean {
    return this.#reader.isWaiting;
  }

  /**
   * Takes bytes of the client; those behind a reply that the client does not read are kept.
   *
   * @throws {RespSyntaxError} After which the connection has to be closed.
   */
  push(bytes: Uint8Array): void {
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (error instanceof RespSyntaxError) {
        this.#call.replies.write(errorReply(`ERR ${error.message}`));
      }
      throw error;
    }
  }

  get isPaused(): boolean {
    return this.#reader.isPaused;
  }

  /** Goes on after a pause. */
  resume(): void {
    this.#reader.isPaused = false;
    this.push(new Uint8Array(0));
  }

  /** The connection is gone: a value that is not complete is never seen. */
  close(): void {
    this.#writer?.abort();
  }

  /** @param streamed The value, if it was streamed; without a writer there was no room for it. */
  #command(args: readonly string[], streamed?: StreamedValue): Reply {
    const [name = '', ...rest] = args;
    const upper = name.toUpperCase();
    if (upper === 'AUTH') return this.#auth(rest);
    if (upper === 'HELLO') return this.#hello(rest);
    if (!this.#isAllowed && upper !== 'QUIT') {
      return errorReply('NOAUTH Authentication required.');
    }
    const command = respCommands.get(upper);
    if (command === undefined) return errorReply(unknownText(name, rest));
    if (rest.length < command.min || rest.length > command.max) {
      const text = `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
      return errorReply(text);
    }
    this.#isQuitting = upper === 'QUIT';
    return command.run(this.#call, rest, streamed);
  }

  /** A value of more than 64 KiB goes from the socket to its place in the store. */
  #streamed(args: readonly string[], size: number): BulkSink {
    const { store, replies } = this.#call;
    const name = args[0]?.toUpperCase();
    const isValue =
      (name === 'SET' && args.length === 2) || (name === 'SETEX' && args.length === 3);
    const isKept = this.#isAllowed && isValue;
    this.#writer = isKept ? store.reserve(args[1] as string, size) : undefined;
    return {
      write: (bytes) => this.#writer?.write(bytes),
      end: (all) => {
        const writer = this.#writer;
        this.#writer = undefined;
        const reply = isValue
          ? this.#command(all, { writer })
          : errorReply(`ERR '${name?.toLowerCase()}' takes no value above 64 KiB`);
        writer?.abort();
        if (reply !== undefined) replies.write(reply);
        this.#reader.isPaused = replies.isFull;
      },
    };
  }

  #auth(args: readonly string[]): Reply {
    const given = args.at(-1);
    if (given === undefined || args.length > 2) {
      return errorReply("ERR wrong number of arguments for 'auth' command");
    }
    // Without a password, the user "default" has any.
    if (this.#password === undefined && args.length === 2) {
      return args[0] === 'default' ? ok : errorReply(wrongPassword);
    }
    if (this.#password === undefined) {
      return errorReply(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
    }
    return this.#isPassword(args) ? ok : errorReply(wrongPassword);
  }

  #isPassword(args: readonly string[]): boolean {
    const user = args.length === 2 ? args[0] : 'default';
    this.#isAllowed = user === 'default' && equalTexts(args.at(-1) ?? '', this.#password ?? '');
    this.#reader.isStranger = !this.#isAllowed;
    return this.#isAllowed;
  }

  #hello(args: readonly string[]): Reply {
    const { id } = this.#call;
    const [version, ...options] = args;
    if (version !== undefined && !/^-?\d{1,9}$/.test(version)) {
      return errorReply('ERR Protocol version is not an integer or out of range');
    }
    if (version !== undefined && version !== '2' && version !== '3') {
      return errorReply('NOPROTO unsupported protocol version');
    }
    for (let i = 0; i < options.length; ) {
      const option = options[i]?.toUpperCase();
      if (option === 'AUTH' && i + 2 < options.length) {
        if (this.#password !== undefined && !this.#isPassword(options.slice(i + 1, i + 3))) {
          return errorReply(wrongPassword);
        }
        i += 3;
      } else if (option === 'SETNAME' && i + 1 < options.length) {
        this.#call.name = options[i + 1] ?? '';
        i += 2;
      } else {
        return errorReply('ERR Syntax error in HELLO option');
      }
    }
    if (!this.#isAllowed) {
      return errorReply(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
    }
    if (version !== undefined) this.#call.version = Number(version) as RespVersion;
    return mapReply(this.#call.version, [
      ['server', 'redis'],
      ['version', redisVersion],
      ['proto', this.#call.version],
      ['id', id],
      ['mode', 'standalone'],
      ['role', 'master'],
    ]);
  }
}

/** The version whose commands are spoken; clients choose their features by it. */
const redisVersion = '7.0.0';
const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';

function unknownText(name: string, rest: readonly string[]): string {
  const shown = rest.map((arg) => `'${arg.slice(0, 128)}' `).join('');
  return `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${shown.slice(0, 128)}`;
}

/** Compares in constant time: digests have the same length whatever the texts have. */
function equalTexts(given: string, right: string): boolean {
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
  return timingSafeEqual(digest(Buffer.from(given, 'latin1')), digest(Buffer.from(right, 'utf8')));
}

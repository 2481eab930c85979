// One client that speaks Redis' protocol.
import type { Clock } from '../../core/base/index.ts';
import type { ClientStore, TieredStore, ValueWriter } from '../../core/cache/index.ts';
import { type ChainStep, ChainWatch } from '../../core/eviction/index.ts';
import {
  arrayHead,
  type BulkSink,
  errorReply,
  mapReply,
  ok,
  RequestReader,
  RespSyntaxError,
  type RespVersion,
  simple,
} from '../../core/resp/index.ts';
import type { CommandTurns } from './command-turns.ts';
import { argumentsError, type Reply, type RespCall, type StreamedValue } from './commands/call.ts';
import { movedReply } from './commands/cluster.ts';
import { respCommands } from './commands/index.ts';
import { keysOf } from './commands/key-positions.ts';
import { receiveFor } from './commands/peer.ts';
import { badClientName, isClientName, redisVersion } from './commands/server.ts';
import { keysRead, streamedAt } from './commands/values.ts';
import type { LoadValues } from './loading.ts';
import { MissPadding, type ValueSizes } from './miss-padding.ts';
import type { ReplyWriter } from './reply-writer.ts';
import type { RespClients } from './resp-clients.ts';
import type { Cluster } from './slot-owners.ts';
import { Transaction, type TransactionMemory } from './transaction.ts';
import { defaultUser, type KnownUser, type Users } from './users.ts';

/** Which clients are redirected: those that have asked for the slots, none, or all. */
export const clusterRedirects = ['auto', 'never', 'always'] as const;
export type ClusterRedirects = (typeof clusterRedirects)[number];

/** What the clients of one tenant share. */
export interface RespSpace {
  readonly store: ClientStore;
  readonly load: LoadValues;
  readonly sizes: ValueSizes;
}

/** What all connections share. */
export interface RespService {
  readonly users: Users;
  /** By the name of a tenant; empty for the shared key space. */
  readonly space: (name: string) => RespSpace;
  /** The keys of all tenants, for other cache servers. */
  readonly whole: Pick<RespSpace, 'load'> & { readonly store: TieredStore };
  /** Seconds since 1970. */
  readonly wallClock: Clock;
  readonly turns: CommandTurns;
  /** The servers that share keys now; undefined for a server alone. */
  readonly cluster: () => Cluster | undefined;
  readonly redirects: ClusterRedirects;
  readonly transactions: TransactionMemory;
  /** The clients of all users. */
  readonly clients: RespClients;
  /** Whether evictions depend on the order of requests. */
  readonly watchesChains: boolean;
  /** Called with the name of each command. */
  readonly requested: (command: string) => void;
}

/** State of a connection between two requests. */
export interface RespSession {
  readonly version: RespVersion;
  readonly name: string;
  readonly isPeer: boolean;
  readonly isClusterClient: boolean;
  /** Of `MissPadding`. */
  readonly isPadded: boolean;
  /** Whether it has begun a transaction, whose commands are lost with the other process. */
  readonly isQueueing?: boolean | undefined;
  /** Name of its user; undefined for a client that has to authenticate. */
  readonly user?: string | undefined;
}

export class RespConnection {
  readonly #call: RespCall;
  readonly #reader: RequestReader;
  readonly #service: RespService;
  #isAllowed: boolean;
  /** Of its user. */
  #space: RespSpace;
  readonly #chains: ChainWatch | undefined;
  #writer: ValueWriter | undefined;
  /** Undefined unless the client has sent MULTI. */
  #transaction: Transaction | undefined;
  /** Whether WATCH was refused: the next transaction relies on it. */
  #isWatchRefused = false;
  #isQuitting = false;
  #isBusy = false;
  /** Called when it is no longer busy. */
  whenReady = () => {};

  /**
   * @param client Number of the connection, and the address of its other end.
   * @param session What another process knew of the client. @default a new client
   */
  constructor(
    service: RespService,
    replies: ReplyWriter,
    client: { readonly id: number; readonly address: string },
    session?: RespSession,
  ) {
    const { id } = client;
    const { wallClock, users, whole } = service;
    const { version = 2, name = '', isPeer = false, isClusterClient = false } = session ?? {};
    const user = session === undefined ? users.unnamed : users.named(session.user);
    this.#space = service.space(user?.space ?? '');
    const misses = new MissPadding(this.#space.sizes, session?.isPadded);
    this.#call = {
      ...{ store: this.#space.store, whole: whole.store, wallClock, replies, id, version },
      ...{ name, user: user?.name ?? defaultUser, misses, isPeer, isClusterClient },
      ...{ address: client.address, since: wallClock.nowSeconds(), usedAt: wallClock.nowSeconds() },
      ...{ library: '', libraryVersion: '', lastCommand: 'NULL', clients: service.clients },
      get cluster() {
        return service.cluster();
      },
    };
    this.#service = service;
    if (service.watchesChains) {
      this.#chains = new ChainWatch((key, before) => this.#call.store.follows(key, before));
    }
    this.#isAllowed = user !== undefined;
    if (session?.isQueueing === true) this.#begin().refuse();
    service.clients.add(this.#call);
    this.#reader = new RequestReader({
      command: (args, isInline) => {
        if (this.#isQuitting) return;
        const name = (args[0] as string).toUpperCase();
        misses.saw(name, isInline);
        const moved = this.#moved(name, args.slice(1));
        if (moved !== undefined) {
          this.#transaction?.refuse();
          this.#reply(moved);
          return;
        }
        if (this.#isQueued(name)) {
          this.#reply(this.#queue(args));
          return;
        }
        const keys = this.#isAllowed ? this.#keysRead(name, args) : [];
        const asked =
          this.#call.isPeer || !this.#isAllowed ? [] : this.#keysAsked(name, args, keys);
        const { store } = this.#call;
        const isAway = (key: string) => store.isBelow(key);
        if (keys.some(isAway) || asked.some((key) => store.isElsewhere(key))) {
          this.#afterLoad(asked.length > 0 ? asked : keys, args);
        } else this.#reply(this.#command(args));
      },
      streamed: (args, size) => this.#streamed(args, size),
      taken: () => {
        if (!service.turns.spend() && !this.#reader.isPaused) this.#waitForTurn();
      },
    });
    this.#reader.isStranger = !this.#isAllowed;
  }

  /** What another process has to know to go on with this client. */
  get session(): RespSession {
    const { version, name, isPeer, isClusterClient, misses, user } = this.#call;
    const known = {
      ...(this.#isAllowed && { user }),
      ...(this.#transaction !== undefined && { isQueueing: true }),
    };
    return { version, name, isPeer, isClusterClient, isPadded: misses.isPadded, ...known };
  }

  /** Requests that have begun. */
  get requests(): number {
    return this.#reader.requests;
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
    const { replies } = this.#call;
    replies.together(() => {
      try {
        this.#reader.push(bytes);
      } catch (error) {
        if (error instanceof RespSyntaxError) replies.write(errorReply(`ERR ${error.message}`));
        throw error;
      }
    });
  }

  /** Memory in which the next bytes of a value may be received; undefined if they have to be pushed. */
  space(): Uint8Array | undefined {
    return this.#reader.space();
  }

  /** Counts bytes that have been received in `space`. */
  filled(count: number): void {
    this.#reader.filled(count);
  }

  /** Whether a value has to come before the reply, or other clients have their turn. */
  get isBusy(): boolean {
    return this.#isBusy;
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
    this.#transaction?.close();
    this.#service.clients.delete(this.#call);
  }

  #afterLoad(keys: readonly string[], args: readonly string[]): void {
    this.#isBusy = true;
    this.#reader.isPaused = true;
    const { load } = this.#call.isPeer ? this.#service.whole : this.#space;
    load(keys).then(() => {
      this.#isBusy = false;
      this.#reply(this.#command(args));
      this.whenReady();
    });
  }

  #waitForTurn(): void {
    this.#isBusy = true;
    this.#reader.isPaused = true;
    this.#service.turns.next(() => {
      this.#isBusy = false;
      this.whenReady();
    });
  }

  #reply(reply: Reply): void {
    const { replies } = this.#call;
    if (reply !== undefined) replies.write(reply);
    this.#reader.isPaused = replies.isFull;
  }

  /** @param streamed The value, if it was streamed; without a writer there was no room for it. */
  #command(args: readonly string[], streamed?: StreamedValue): Reply {
    const [name = '', ...rest] = args;
    const upper = name.toUpperCase();
    this.#call.lastCommand = name.toLowerCase().slice(0, 64);
    this.#call.usedAt = this.#service.wallClock.nowSeconds();
    this.#service.requested(knownNames.has(upper) ? upper.toLowerCase() : 'unknown');
    if (upper === 'AUTH') return this.#auth(rest);
    if (upper === 'HELLO') return this.#hello(rest);
    if (upper === 'QUIT') {
      this.#isQuitting = true;
      this.#call.replies.end(ok);
      return undefined;
    }
    if (upper === 'RESET') return this.#reset(rest);
    if (transactionNames.has(upper)) return this.#transact(upper, rest);
    const command = respCommands.get(upper);
    if (command === undefined) return errorReply(unknownText(name, rest));
    if (rest.length < command.min || rest.length > command.max) {
      return errorReply(argumentsError(upper));
    }
    if (!this.#isAllowed) return errorReply('NOAUTH Authentication required.');
    if (upper === 'SET' && streamed === undefined) {
      this.#space.sizes.learn(rest[0] as string, (rest[1] as string).length);
    }
    this.#watch(upper, rest);
    return command.run(this.#call, rest, streamed);
  }

  /** Whether a command is for a transaction. */
  #isQueued(name: string): boolean {
    return this.#transaction !== undefined && !atOnce.has(name);
  }

  /** @param streamed As in `#command`. @param size Of the streamed value. */
  #queue(args: readonly string[], streamed?: StreamedValue, size = 0): Reply {
    const [name = '', ...rest] = args;
    const upper = name.toUpperCase();
    const transaction = this.#transaction as Transaction;
    const command = upper === 'UNWATCH' ? noArguments : respCommands.get(upper);
    const { length } = rest;
    let error: string | undefined;
    if (neverQueued.has(upper)) error = 'ERR Command not allowed inside a transaction';
    else if (command === undefined) error = unknownText(name, rest);
    else if (length < command.min || length > command.max) error = argumentsError(upper);
    if (error !== undefined) {
      streamed?.writer.abort();
      transaction.refuse();
    } else error = transaction.add({ args, streamed }, size);
    return error === undefined ? simple('QUEUED') : errorReply(error);
  }

  #begin(): Transaction {
    this.#transaction = new Transaction(this.#service.transactions);
    return this.#transaction;
  }

  #transact(name: string, args: readonly string[]): Reply {
    if (name === 'WATCH' ? args.length === 0 : args.length > 0) {
      this.#transaction?.refuse();
      if (name !== 'EXEC' || !this.#isAllowed) return errorReply(argumentsError(name));
      this.#endTransaction();
      const why = argumentsError(name).replace('ERR ', '');
      return errorReply(`EXECABORT Transaction discarded because of: ${why}`);
    }
    if (!this.#isAllowed) return errorReply('NOAUTH Authentication required.');
    const transaction = this.#transaction;
    switch (name) {
      case 'MULTI':
        if (transaction !== undefined) return errorReply('ERR MULTI calls can not be nested');
        this.#begin();
        return ok;
      case 'WATCH':
        if (transaction !== undefined) return errorReply('ERR WATCH inside MULTI is not allowed');
        this.#isWatchRefused = true;
        return errorReply(
          'ERR WATCH is not supported, because values of a cache go at any time; the next EXEC executes nothing. Send MULTI and EXEC without it.',
        );
      case 'UNWATCH':
        this.#isWatchRefused = false;
        return ok;
      case 'DISCARD':
        if (transaction === undefined) return errorReply('ERR DISCARD without MULTI');
        this.#endTransaction();
        return ok;
      default:
        return transaction === undefined
          ? errorReply('ERR EXEC without MULTI')
          : this.#execute(transaction);
    }
  }

  #execute(transaction: Transaction): Reply {
    const isRefused = transaction.isRefused || this.#isWatchRefused;
    const commands = isRefused ? [] : [...transaction.commands];
    const { replies } = this.#call;
    this.#transaction = undefined;
    if (!isRefused) {
      replies.write(arrayHead(commands.length));
      for (const { args, streamed } of commands) {
        const reply = this.#command(args, streamed);
        if (reply !== undefined) replies.write(reply);
      }
    }
    // What was streamed and is not in the store by now never is.
    transaction.close();
    this.#isWatchRefused = false;
    return isRefused
      ? errorReply('EXECABORT Transaction discarded because of previous errors.')
      : undefined;
  }

  #endTransaction(): void {
    this.#transaction?.close();
    this.#transaction = undefined;
    this.#isWatchRefused = false;
  }

  /** The keys whose values a command reads; for EXEC, those of its transaction. */
  #keysRead(name: string, args: readonly string[]): readonly string[] {
    if (name !== 'EXEC') return keysRead[name]?.(args.slice(1)) ?? [];
    const commands = this.#transaction?.commands ?? [];
    return commands.flatMap(({ args: [queued = '', ...rest] }) => [
      ...(keysRead[queued.toUpperCase()]?.(rest) ?? []),
    ]);
  }

  /** The keys that other servers may have values of: those that are read, and those that EXISTS asks for. */
  #keysAsked(name: string, args: readonly string[], read: readonly string[]): readonly string[] {
    if (name === 'EXISTS') return args.slice(1);
    if (name !== 'EXEC') return read;
    const commands = this.#transaction?.commands ?? [];
    const looked = commands.filter(({ args: [queued] }) => queued?.toUpperCase() === 'EXISTS');
    return [...read, ...looked.flatMap(({ args: queued }) => queued.slice(1))];
  }

  /** The redirection of a cluster client to a server that keeps the keys; undefined if the command is served here. */
  #moved(name: string, args: readonly string[]): Reply {
    const { redirects } = this.#service;
    const { isPeer, isClusterClient, cluster } = this.#call;
    if (!this.#isAllowed || isPeer || cluster === undefined || redirects === 'never')
      return undefined;
    if (redirects === 'auto' && !isClusterClient) return undefined;
    return movedReply(cluster, keysOf(name, args));
  }

  /** Takes note of the order in which a client looks values up, loads and stores them. */
  #watch(name: string, args: readonly string[]): void {
    const step = this.#chains && chainSteps[name];
    if (step === undefined) return;
    for (const key of name === 'EXISTS' || name === 'MGET' ? args : args.slice(0, 1)) {
      const isThere = step === 'store' || this.#call.store.size(key) !== undefined;
      this.#chains?.saw(step, key, isThere);
    }
  }

  /** The connection as it was when it began. */
  #reset(args: readonly string[]): Reply {
    if (args.length > 0) return errorReply(argumentsError('reset'));
    this.#call.version = 2;
    this.#call.name = '';
    this.#endTransaction();
    this.#become(this.#service.users.unnamed);
    return simple('RESET');
  }

  /** A value of more than 64 KiB goes from the socket to its place in the store. */
  #streamed(args: readonly string[], size: number): BulkSink {
    if (this.#isQuitting) return { write: () => {}, end: () => {} };
    const { store, misses } = this.#call;
    const name = (args[0] as string).toUpperCase();
    const isValue = streamedAt[name] === args.length;
    misses.saw(name, false);
    const key = args[1] as string;
    const isTooLarge = this.#isAllowed && isValue && size > store.valueBytesMax;
    const moved = isValue ? this.#moved(name, [key]) : undefined;
    const isKept = this.#isAllowed && isValue && !isTooLarge && moved === undefined;
    this.#writer = isKept ? receiveFor(this.#call, name, args, size) : undefined;
    return {
      write: (bytes) => this.#writer?.write(bytes),
      space: () => this.#writer?.space(),
      filled: (count) => this.#writer?.filled(count),
      end: (all) => {
        const writer = this.#writer;
        this.#writer = undefined;
        if (moved !== undefined) {
          this.#transaction?.refuse();
          this.#reply(moved);
          return;
        }
        if (isTooLarge) {
          this.#transaction?.refuse();
          this.#reply(errorReply(tooLargeText(size, store.valueBytesMax)));
          return;
        }
        if (this.#isQueued(name) && isValue) {
          this.#reply(this.#queue(all, writer && { writer }, size));
          return;
        }
        if (!isValue) this.#transaction?.refuse();
        const reply =
          isValue || !respCommands.has(name)
            ? this.#command(all, writer && { writer })
            : errorReply(`ERR '${name.toLowerCase()}' takes no value above 64 KiB`);
        writer?.abort();
        if (isValue && this.#isAllowed) this.#space.sizes.learn(key, size);
        this.#reply(reply);
      },
    };
  }

  #auth(args: readonly string[]): Reply {
    if (args.length === 0) return errorReply(argumentsError('auth'));
    if (args.length > 2) return errorReply('ERR syntax error');
    const { users } = this.#service;
    if (users.unnamed !== undefined && args.length === 1) {
      return errorReply(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
    }
    const [name = '', password = ''] = args.length === 2 ? args : [defaultUser, ...args];
    return this.#authenticate(name, password) ? ok : errorReply(wrongPassword);
  }

  /** A wrong password changes nothing. */
  #authenticate(name: string, password: string): boolean {
    const user = this.#service.users.authenticate(name, password);
    if (user !== undefined) this.#become(user);
    return user !== undefined;
  }

  /** @param user Undefined for somebody who has to say who it is. */
  #become(user: KnownUser | undefined): void {
    this.#isAllowed = user !== undefined;
    this.#reader.isStranger = user === undefined;
    this.#space = this.#service.space(user?.space ?? '');
    this.#call.user = user?.name ?? defaultUser;
    this.#call.isPeer = false;
    this.#call.store = this.#space.store;
    this.#call.misses.sizes = this.#space.sizes;
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
        const [name = '', password = ''] = options.slice(i + 1, i + 3);
        if (!this.#authenticate(name, password)) return errorReply(wrongPassword);
        i += 3;
      } else if (option === 'SETNAME' && i + 1 < options.length) {
        const name = options[i + 1] ?? '';
        if (!isClientName(name)) return errorReply(badClientName);
        this.#call.name = name;
        i += 2;
      } else {
        return errorReply(`ERR Syntax error in HELLO option '${options[i] ?? ''}'`);
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
      ['modules', []],
    ]);
  }
}

const chainSteps: Readonly<Record<string, ChainStep>> = {
  ...({ EXISTS: 'look up', GET: 'load', MGET: 'load' } as const),
  ...({ SET: 'store', SETEX: 'store', PSETEX: 'store' } as const),
};
/** Commands about transactions. */
const transactionNames: ReadonlySet<string> = new Set([
  ...['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH'],
]);
/** Commands that are executed at once, whether or not there is a transaction. */
const atOnce: ReadonlySet<string> = new Set([
  ...['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'QUIT', 'RESET'],
]);
/** UNWATCH, as part of a transaction. */
const noArguments = { min: 0, max: 0 };
/** Commands that change the connection, and so the replies after them. */
const neverQueued: ReadonlySet<string> = new Set(['AUTH', 'HELLO']);
const knownNames = new Set([
  ...[...respCommands.keys(), ...transactionNames],
  ...['AUTH', 'HELLO', 'QUIT', 'RESET'],
]);
const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';
/** Characters of arguments, and of a name, that the error repeats. */
const shownMax = 128;

/** Redis 7's error; texts end at a NUL, as in C. */
function unknownText(name: string, args: readonly string[]): string {
  const upToNul = (text: string, length: number) =>
    (text.split('\0', 1)[0] as string).slice(0, length);
  let shown = '';
  for (const arg of args) {
    if (shown.length >= shownMax) break;
    shown += `'${upToNul(arg, shownMax - shown.length)}' `;
  }
  return `ERR unknown command '${upToNul(name, shownMax)}', with args beginning with: ${shown}`;
}

function tooLargeText(size: number, max: number): string {
  return `ERR the value has ${size} bytes; the maximum is ${max}`;
}

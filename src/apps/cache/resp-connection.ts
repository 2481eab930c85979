// One client that speaks Redis' protocol: its requests in order, what each has to wait for, and its replies.
import type { ValueWriter } from '../../core/cache/index.ts';
import {
  type BulkSink,
  errorReply,
  ok,
  RequestReader,
  RespSyntaxError,
} from '../../core/resp/index.ts';
import { ClientIdentity } from './client-identity.ts';
import type { MemoryAccount } from './client-memory.ts';
import { ClientTransaction, transactionNames } from './client-transaction.ts';
import type { ClientOrigin } from './clients.ts';
import { CommandChains } from './command-chains.ts';
import { askedKeys, readKeys } from './commands/awaited-keys.ts';
import {
  argumentsError,
  noAuthentication,
  type Reply,
  type RespCall,
  type RespCommand,
  type Steps,
  type StreamedValue,
} from './commands/call.ts';
import { callFault } from './commands/call-fault.ts';
import { movedReply } from './commands/cluster.ts';
import { respCommands } from './commands/index.ts';
import { keysOf } from './commands/key-positions.ts';
import { receiveFor } from './commands/peer.ts';
import { streamedAt } from './commands/values.ts';
import { MissPadding } from './miss-padding.ts';
import type { ReplyWriter } from './reply-writer.ts';
import type { RespService, RespSession } from './resp-service.ts';

const noKeys: readonly string[] = [];

export class RespConnection {
  readonly #call: RespCall;
  readonly #identity: ClientIdentity;
  readonly #transaction: ClientTransaction;
  readonly #chains: CommandChains | undefined;
  readonly #reader: RequestReader;
  readonly #service: RespService;
  readonly #account: MemoryAccount;
  #writer: ValueWriter | undefined;
  #isQuitting = false;
  #isBusy = false;
  #isClosed = false;
  /** Called when it is no longer busy. */
  whenReady = () => {};

  /**
   * @param client Number of the connection, and where it comes from.
   * @param session What another process knew of the client. @default a new client
   */
  constructor(
    service: RespService,
    replies: ReplyWriter,
    client: { readonly id: number; readonly origin: ClientOrigin },
    session?: RespSession,
  ) {
    const { id } = client;
    const { wallClock, users, whole } = service;
    const { version = 2, name = '', isPeer = false, isClusterClient = false } = session ?? {};
    const identity = new ClientIdentity(
      service,
      session === undefined ? users.unnamed : users.named(session.user),
    );
    const { store, sizes } = identity.space;
    const misses = new MissPadding(sizes, session?.isPadded);
    const now = wallClock.nowSeconds();
    this.#call = {
      ...{
        store: isPeer ? whole.store : store,
        whole: whole.store,
        valueTurns: service.valueTurns,
        wallClock,
        replies,
        id,
        version,
      },
      ...{ name, user: identity.userName, misses, isPeer, isClusterClient },
      ...{ address: client.origin.address, since: now, usedAt: now },
      isAdmittedPeer: (key) => service.peerAccess.admits(key, client.origin.certificate()),
      ...{ library: '', libraryVersion: '', lastCommand: 'NULL', clients: service.clients },
      get cluster() {
        return service.cluster();
      },
    };
    this.#service = service;
    this.#account = client.origin.account;
    this.#identity = identity;
    if (service.watchesChains) this.#chains = new CommandChains(() => this.#call.store);
    this.#transaction = new ClientTransaction(service.transactions, this.#call, (args, streamed) =>
      atOnce(this.#command(args, streamed)),
    );
    replies.whenWritten = () => {
      if (!this.#isBusy) this.whenReady();
    };
    if (session?.isQueueing === true) this.#transaction.openRefused();
    if (session?.isWatching === true) this.#transaction.watches.lose();
    service.clients.add(this.#call);
    this.#reader = new RequestReader({
      command: (args, isInline) => this.#take(args, isInline),
      streamed: (args, size) => this.#streamed(args, size),
      taken: () => {
        if (!service.turns.spend() && !this.#reader.isPaused) this.#waitForTurn();
      },
    });
    this.#reader.isStranger = !identity.isKnown;
  }

  /** What another process has to know to go on with this client. */
  get session(): RespSession {
    const { version, name, isPeer, isClusterClient, misses, user } = this.#call;
    const known = {
      ...(this.#identity.isKnown && { user }),
      ...(this.#transaction.isOpen && { isQueueing: true }),
      ...(!this.#transaction.watches.isEmpty && { isWatching: true }),
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
    this.#push(bytes);
    this.#account.set('request', this.#reader.bytes);
  }

  #push(bytes: Uint8Array): void {
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
    return this.#isBusy || this.#call.replies.isBusy;
  }

  get isPaused(): boolean {
    return this.#reader.isPaused;
  }

  /** Goes on after a pause. */
  resume(): void {
    if (this.isBusy) return;
    this.#reader.isPaused = false;
    this.push(new Uint8Array(0));
  }

  /** The connection is gone: a value that is not complete is never seen. */
  close(): void {
    this.#isClosed = true;
    this.#writer?.abort();
    this.#transaction.close();
    this.#service.clients.delete(this.#call);
  }

  /** A request whose arguments are all here. */
  #take(args: readonly string[], isInline: boolean): void {
    if (this.#isQuitting) return;
    const { store, misses, isPeer } = this.#call;
    const name = (args[0] as string).toUpperCase();
    misses.saw(name, isInline);
    const moved = this.#moved(name, args.slice(1));
    if (moved !== undefined) {
      this.#transaction.refuse();
      this.#reply(moved);
      return;
    }
    if (this.#transaction.takes(name)) {
      this.#reply(this.#transaction.queue(args));
      return;
    }
    const { isKnown } = this.#identity;
    const queued = this.#transaction.commands;
    const read = isKnown ? readKeys(name, args, queued) : noKeys;
    const asked = isPeer || !isKnown ? noKeys : askedKeys(name, args, queued, read);
    if (read.some((key) => store.isBelow(key)) || asked.some((key) => store.isElsewhere(key))) {
      this.#afterLoad(asked.length > 0 ? asked : read, args);
      return;
    }
    const isHeavy = read.length > 0 || respCommands.get(name)?.isHeavy === true;
    if (isHeavy && this.#service.valueTurns.isSpent) {
      this.#inTurn(() => this.#answer(this.#command(args)));
    } else this.#answer(this.#command(args));
  }

  /** Replies with what a command returns, in the next turns if it takes several. */
  #answer(result: Reply | Steps): void {
    if (result === undefined || result instanceof Uint8Array) {
      this.#reply(result);
      return;
    }
    const { done, value } = result.next();
    if (done) this.#reply(value);
    else this.#inTurn(() => this.#answer(result));
  }

  /** Goes on when it is this client's turn. */
  #inTurn(step: () => void): void {
    this.#isBusy = true;
    this.#reader.isPaused = true;
    this.#service.valueTurns.next(() => {
      if (this.#isClosed) return;
      this.#isBusy = false;
      step();
      if (!this.isBusy) this.whenReady();
    });
  }

  #afterLoad(keys: readonly string[], args: readonly string[]): void {
    this.#isBusy = true;
    this.#reader.isPaused = true;
    const { load } = this.#call.isPeer ? this.#service.whole : this.#identity.space;
    load(keys).then(() => {
      if (this.#isClosed) return;
      this.#isBusy = false;
      this.#answer(this.#command(args));
      if (!this.isBusy) this.whenReady();
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
  #command(args: readonly string[], streamed?: StreamedValue): Reply | Steps {
    const [name = '', ...rest] = args;
    const upper = name.toUpperCase();
    this.#call.lastCommand = name.toLowerCase().slice(0, 64);
    this.#call.usedAt = this.#service.wallClock.nowSeconds();
    this.#service.requested(knownNames.has(upper) ? upper.toLowerCase() : 'unknown');
    if (identityNames.has(upper)) return this.#identify(upper, rest);
    if (upper === 'QUIT') {
      this.#isQuitting = true;
      this.#call.replies.end(ok);
      return undefined;
    }
    const { isKnown } = this.#identity;
    if (transactionNames.has(upper)) return this.#transaction.command(upper, rest, isKnown);
    const command = respCommands.get(upper);
    const fault = callFault(command, name, rest);
    if (fault !== undefined) return errorReply(fault);
    if (!isKnown) return errorReply(noAuthentication);
    if (upper === 'SET' && streamed === undefined) {
      this.#identity.space.sizes.learn(rest[0] as string, (rest[1] as string).length);
    }
    this.#chains?.saw(upper, rest, this.#call.store);
    return (command as RespCommand).run(this.#call, rest, streamed);
  }

  /** Executes one of `identityNames`. */
  #identify(name: string, args: readonly string[]): Reply {
    const reply = this.#identityReply(name, args);
    this.#reader.isStranger = !this.#identity.isKnown;
    return reply;
  }

  #identityReply(name: string, args: readonly string[]): Reply {
    if (name === 'AUTH') return this.#identity.auth(this.#call, args);
    if (name === 'HELLO') return this.#identity.hello(this.#call, args);
    if (args.length > 0) return errorReply(argumentsError(name));
    this.#transaction.end();
    return this.#identity.reset(this.#call);
  }

  /** The redirection of a cluster client to a server that keeps the keys; undefined if the command is served here. */
  #moved(name: string, args: readonly string[]): Reply {
    const { redirects } = this.#service;
    const { isPeer, isClusterClient, cluster } = this.#call;
    if (!this.#identity.isKnown || isPeer || cluster === undefined || redirects === 'never')
      return undefined;
    if (redirects === 'auto' && !isClusterClient) return undefined;
    return movedReply(cluster, keysOf(name, args));
  }

  /** A value of more than 64 KiB goes from the socket to its place in the store. */
  #streamed(args: readonly string[], size: number): BulkSink {
    if (this.#isQuitting) return { write: () => {}, end: () => {} };
    const { store, misses } = this.#call;
    const { isKnown } = this.#identity;
    const name = (args[0] as string).toUpperCase();
    const isValue = streamedAt[name] === args.length;
    misses.saw(name, false);
    const key = args[1] as string;
    const isTooLarge = isKnown && isValue && size > store.valueBytesMax;
    const moved = isValue ? this.#moved(name, [key]) : undefined;
    const isKept = isKnown && isValue && !isTooLarge && moved === undefined;
    this.#writer = isKept ? receiveFor(this.#call, name, args, size) : undefined;
    return {
      write: (bytes) => this.#writer?.write(bytes),
      space: () => this.#writer?.space(),
      filled: (count) => this.#writer?.filled(count),
      end: (all) => {
        const writer = this.#writer;
        this.#writer = undefined;
        if (moved !== undefined) {
          this.#transaction.refuse();
          this.#reply(moved);
          return;
        }
        if (isTooLarge) {
          this.#transaction.refuse();
          this.#reply(errorReply(tooLargeText(size, store.valueBytesMax)));
          return;
        }
        if (this.#transaction.takes(name) && isValue) {
          this.#reply(this.#transaction.queue(all, writer && { writer }, size));
          return;
        }
        if (!isValue) this.#transaction.refuse();
        const reply =
          isValue || !respCommands.has(name)
            ? this.#command(all, writer && { writer })
            : errorReply(`ERR '${name.toLowerCase()}' takes no value above 64 KiB`);
        writer?.abort();
        if (isValue && isKnown) this.#identity.space.sizes.learn(key, size);
        this.#answer(reply);
      },
    };
  }
}

/** Steps of a command that a transaction executes, in which other clients wait. */
const stepsAtOnceMax = 10;

/** All steps in one turn, for a transaction. */
function atOnce(result: Reply | Steps): Reply {
  if (result === undefined || result instanceof Uint8Array) return result;
  for (let step = 0; step < stepsAtOnceMax; step++) {
    const { done, value } = result.next();
    if (done) return value;
  }
  return errorReply(
    'ERR there are more keys than a command inside MULTI looks at; send it by itself, or use SCAN',
  );
}

/** Commands about who the client is; they change the connection. */
const identityNames: ReadonlySet<string> = new Set(['AUTH', 'HELLO', 'RESET']);
const knownNames: ReadonlySet<string> = new Set([
  ...[...respCommands.keys(), ...transactionNames, ...identityNames],
  'QUIT',
]);

function tooLargeText(size: number, max: number): string {
  return `ERR the value has ${size} bytes; the maximum is ${max}`;
}

// The transactions of one client: MULTI, EXEC, DISCARD, WATCH and UNWATCH, and what waits between them.
import { arrayHead, errorReply, nullArrayReply, ok, simple } from '../../core/resp/index.ts';
import { ClientWatches } from './client-watches.ts';
import {
  argumentsError,
  noAuthentication,
  type Reply,
  type RespCall,
  type StreamedValue,
} from './commands/call.ts';
import { callFault } from './commands/call-fault.ts';
import { respCommands } from './commands/index.ts';
import { type QueuedCommand, Transaction, type TransactionMemory } from './transaction.ts';

/** Commands about transactions. */
export const transactionNames: ReadonlySet<string> = new Set([
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
const none: readonly QueuedCommand[] = [];

export class ClientTransaction {
  readonly #memory: TransactionMemory;
  readonly #call: RespCall;
  readonly #run: (args: readonly string[], streamed: StreamedValue | undefined) => Reply;
  /** Undefined unless the client has sent MULTI. */
  #open: Transaction | undefined;
  /** What the next transaction relies on. */
  readonly watches: ClientWatches;

  /** @param run Executes a command. */
  constructor(
    memory: TransactionMemory,
    call: RespCall,
    run: (args: readonly string[], streamed: StreamedValue | undefined) => Reply,
  ) {
    this.#memory = memory;
    this.#call = call;
    this.watches = new ClientWatches(call);
    this.#run = run;
  }

  /** Whether the client has sent MULTI. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** What waits for EXEC. */
  get commands(): readonly QueuedCommand[] {
    return this.#open?.commands ?? none;
  }

  /** Whether a command waits for EXEC. @param name In capitals. */
  takes(name: string): boolean {
    return this.#open !== undefined && !atOnce.has(name);
  }

  /** Goes on with a transaction that another process began, whose commands are lost. */
  openRefused(): void {
    this.#begin().refuse();
  }

  /** A command of it failed: nothing of it is executed. */
  refuse(): void {
    this.#open?.refuse();
  }

  /** Ends it without executing anything. */
  end(): void {
    this.close();
    this.#open = undefined;
  }

  /** The connection is gone: values that were streamed are never seen. */
  close(): void {
    this.#open?.close();
    this.watches.end();
  }

  /**
   * Keeps a command for EXEC.
   *
   * @param streamed The value, if it was streamed; without a writer there was no room for it. @param size Its bytes.
   */
  queue(args: readonly string[], streamed?: StreamedValue, size = 0): Reply {
    const [name = '', ...rest] = args;
    const upper = name.toUpperCase();
    const transaction = this.#open as Transaction;
    const command = upper === 'UNWATCH' ? noArguments : respCommands.get(upper);
    let error = neverQueued.has(upper)
      ? 'ERR Command not allowed inside a transaction'
      : callFault(command, name, rest);
    if (error !== undefined) {
      streamed?.writer.abort();
      transaction.refuse();
    } else error = transaction.add({ args, streamed }, size);
    return error === undefined ? simple('QUEUED') : errorReply(error);
  }

  /**
   * Executes one of `transactionNames`.
   *
   * @param isKnown Whether the client may use the store.
   */
  command(name: string, args: readonly string[], isKnown: boolean): Reply {
    if (name === 'WATCH' ? args.length === 0 : args.length > 0) {
      this.refuse();
      if (name !== 'EXEC' || !isKnown) return errorReply(argumentsError(name));
      this.end();
      const why = argumentsError(name).replace('ERR ', '');
      return errorReply(`EXECABORT Transaction discarded because of: ${why}`);
    }
    if (!isKnown) return errorReply(noAuthentication);
    const transaction = this.#open;
    switch (name) {
      case 'MULTI':
        if (transaction !== undefined) return errorReply('ERR MULTI calls can not be nested');
        this.#begin();
        return ok;
      case 'WATCH':
        if (transaction !== undefined) return errorReply('ERR WATCH inside MULTI is not allowed');
        return this.#watch(args);
      case 'UNWATCH':
        this.watches.end();
        return ok;
      case 'DISCARD':
        if (transaction === undefined) return errorReply('ERR DISCARD without MULTI');
        this.end();
        return ok;
      default:
        return transaction === undefined
          ? errorReply('ERR EXEC without MULTI')
          : this.#execute(transaction);
    }
  }

  #begin(): Transaction {
    this.#open = new Transaction(this.#memory);
    return this.#open;
  }

  #watch(keys: readonly string[]): Reply {
    const error = this.watches.add(keys);
    return error === undefined ? ok : errorReply(error);
  }

  #execute(transaction: Transaction): Reply {
    const isRefused = transaction.isRefused || this.watches.isRefused;
    const isOutdated = !isRefused && this.watches.hasChanged;
    const commands = isRefused || isOutdated ? [] : [...transaction.commands];
    this.#open = undefined;
    this.watches.end();
    if (!isRefused && !isOutdated) this.#runAll(commands);
    // What was streamed and is not in the store by now never is.
    transaction.close();
    if (isOutdated) return nullArrayReply(this.#call.version);
    return isRefused
      ? errorReply('EXECABORT Transaction discarded because of previous errors.')
      : undefined;
  }

  #runAll(commands: readonly QueuedCommand[]): void {
    const { replies } = this.#call;
    replies.write(arrayHead(commands.length));
    for (const { args, streamed } of commands) {
      const reply = this.#run(args, streamed);
      if (reply !== undefined) replies.write(reply);
    }
  }
}

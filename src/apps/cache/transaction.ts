// The commands between MULTI and EXEC of one client.
import type { StreamedValue } from './commands/call.ts';

/** Commands of one transaction: they are executed in one turn, in which other clients wait. */
const commandsMax = 10_000;
/** Their words: each may be a key that is looked up. */
const wordsMax = 40_000;
/** Commands of one transaction that look through keys, each for some milliseconds. */
const walksMax = 8;
const walks: ReadonlySet<string> = new Set(['KEYS', 'SCAN', 'DBSIZE']);
/** Bytes of the commands of one transaction, values included. */
const bytesMax = 64 << 20;
/** Bytes of the transactions of all clients that are not executed yet. */
const allBytesMax = 256 << 20;
/** What a word takes in memory beside its bytes. */
const wordBytes = 64;

export interface QueuedCommand {
  readonly args: readonly string[];
  /** The value, if it was streamed into the store's memory, where nobody sees it yet. */
  readonly streamed: StreamedValue | undefined;
}

/** Bytes of the transactions of all clients of a server. */
export class TransactionMemory {
  bytes = 0;
}

export class Transaction {
  readonly #memory: TransactionMemory;
  readonly #commands: QueuedCommand[] = [];
  #bytes = 0;
  #words = 0;
  #walks = 0;
  #isRefused = false;

  constructor(memory: TransactionMemory) {
    this.#memory = memory;
  }

  get commands(): readonly QueuedCommand[] {
    return this.#commands;
  }

  /** Whether nothing of it may be executed, because one of its commands was refused. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  refuse(): void {
    this.#isRefused = true;
    this.close();
  }

  /** @param valueBytes Of a streamed value. @returns Redis' error; undefined if the command is queued. */
  add(command: QueuedCommand, valueBytes = 0): string | undefined {
    const { args } = command;
    let bytes = valueBytes;
    for (const word of args) bytes += wordBytes + word.length;
    this.#words += args.length;
    if (walks.has(args[0]?.toUpperCase() ?? '')) this.#walks += 1;
    const error = this.#refusal(bytes);
    if (error !== undefined || this.#isRefused) {
      command.streamed?.writer.abort();
      if (error !== undefined) this.refuse();
      return error;
    }
    this.#commands.push(command);
    this.#bytes += bytes;
    this.#memory.bytes += bytes;
    return undefined;
  }

  /** Values that were not executed are never seen. */
  close(): void {
    for (const { streamed } of this.#commands) streamed?.writer.abort();
    this.#commands.length = 0;
    this.#memory.bytes -= this.#bytes;
    this.#bytes = 0;
  }

  #refusal(bytes: number): string | undefined {
    if (this.#commands.length >= commandsMax) {
      return `ERR a transaction has at most ${commandsMax} commands`;
    }
    if (this.#words > wordsMax) return `ERR a transaction has at most ${wordsMax} words`;
    if (this.#walks > walksMax) {
      return `ERR a transaction has at most ${walksMax} of KEYS, SCAN and DBSIZE`;
    }
    if (this.#bytes + bytes > bytesMax) {
      return `ERR a transaction has at most ${bytesMax} bytes of commands and values`;
    }
    return this.#memory.bytes + bytes > allBytesMax
      ? 'ERR the transactions of all clients take too much memory'
      : undefined;
  }
}

// What a server holds for its clients, counted in a memory that others use too, and who gives way when that is full.
import { MemoryBudget, type MemoryShare } from '../../core/memory/index.ts';
import { readBuffers } from './read-buffers.ts';

export interface ServerMemory {
  /** Of everything that is held for clients. */
  readonly budget: MemoryBudget;
  /** Request bodies, and bytes that clients sent ahead. */
  readonly requests: MemoryShare;
  /** Bytes of responses that clients have not read; always taken. */
  readonly responses: MemoryShare;
  /** Clients were disconnected because they were behind. */
  readonly onDropped?: ((clients: number, bytes: number) => void) | undefined;
}

/** Memory without a bound, for servers whose other limits are enough. */
export function unboundedMemory(): ServerMemory {
  const budget = new MemoryBudget(Number.POSITIVE_INFINITY);
  return { budget, requests: budget.share(1), responses: budget.share(1) };
}

/** A client that may be behind, as its server sees it. */
export interface UnreadHolder {
  /** Bytes that it has not read. */
  readonly unreadBytes: number;
  /** Tick since which it has not read all; undefined for the current one. */
  readonly unreadSinceTick: number | undefined;
  /** Disconnects it, and gives its memory back at once. */
  dropUnread(): void;
}

/** Part of the budget that is free after room was made, so that clients are seldom searched. */
const freedPart = 1 / 16;
/** Part of the budget that unread responses may keep when requests need room. */
const keptPart = 1 / 8;

/** Disconnects clients that are behind: those that are so for longest, then those that hold most. */
export class UnreadResponses {
  readonly #memory: ServerMemory;
  readonly #holders: () => Iterable<UnreadHolder>;

  constructor(memory: ServerMemory, holders: () => Iterable<UnreadHolder>) {
    this.#memory = memory;
    this.#holders = holders;
  }

  /** A client has fallen behind by so many bytes more. */
  grew(bytes: number): void {
    const { budget, responses } = this.#memory;
    responses.force(bytes);
    if (budget.excess > 0) this.#drop(budget.bytesMax * (1 - freedPart), 0);
  }

  /** A client has read, or is gone. */
  shrank(bytes: number): void {
    this.#memory.responses.give(bytes);
  }

  /** Makes room for a request, unless unread responses hold little. */
  makeRoom(bytes: number): void {
    const { budget, requests } = this.#memory;
    const totalMax = requests.totalMax - budget.bytesMax * freedPart - bytes;
    this.#drop(totalMax, budget.bytesMax * keptPart);
  }

  /** Disconnects clients until the total, or what unread responses hold of it, is no longer above these. */
  #drop(totalMax: number, responsesMax: number): void {
    const { budget, responses, onDropped } = this.#memory;
    const isDone = () => budget.bytes <= totalMax || responses.bytes <= responsesMax;
    if (isDone()) return;
    const behind = [...this.#holders()].filter(({ unreadBytes }) => unreadBytes > 0);
    behind.sort((a, b) => since(a) - since(b) || b.unreadBytes - a.unreadBytes);
    const before = responses.bytes;
    let dropped = 0;
    for (const holder of behind) {
      if (isDone()) break;
      holder.dropUnread();
      dropped++;
    }
    if (dropped > 0) onDropped?.(dropped, before - responses.bytes);
  }
}

function since({ unreadSinceTick }: UnreadHolder): number {
  return unreadSinceTick ?? Number.MAX_SAFE_INTEGER;
}

/** What one client has not read. */
export class UnreadCount {
  readonly #all: UnreadResponses;
  #bytes = 0;
  /** Bytes of buffers that its socket holds beside those that it sends. */
  #slackBytes = 0;
  /** Buffers that it holds until it has sent everything. */
  readonly #kept: ArrayBufferLike[] = [];

  constructor(all: UnreadResponses) {
    this.#all = all;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param unsentBytes What the socket holds now.
   * @param kept A buffer that it holds since the last call.
   * @param slackBytes What it holds in addition since then.
   */
  wrote(unsentBytes: number, kept?: ArrayBufferLike, slackBytes = 0): void {
    if (unsentBytes === 0) {
      if (this.#bytes > 0) this.clear();
      return;
    }
    if (kept !== undefined) this.#kept.push(kept);
    this.#slackBytes += slackBytes;
    this.#set(unsentBytes + this.#slackBytes);
  }

  /** Everything is sent, or the socket is closed. */
  clear(): void {
    for (const memory of this.#kept) readBuffers.takeBack(memory);
    this.drop();
  }

  /** The socket is about to be closed: it may still read its buffers. */
  drop(): void {
    this.#kept.length = 0;
    this.#slackBytes = 0;
    this.#set(0);
  }

  #set(bytes: number): void {
    const more = bytes - this.#bytes;
    this.#bytes = bytes;
    if (more > 0) this.#all.grew(more);
    else this.#all.shrank(-more);
  }
}

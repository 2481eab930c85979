// The memory of the process that its clients take beside the values: requests that are not complete, and replies that are not read.

/** What one client takes. */
export interface MemoryAccount {
  /** Sets the bytes of one kind; the client may be closed by it, or another one. */
  set(kind: 'request' | 'replies', bytes: number): void;
  end(): void;
}

interface Account {
  request: number;
  replies: number;
  close(): void;
}

/**
 * Less than this is not counted for a client: it is part of what a connection takes, whatever its client does.
 */
const uncountedBytes = 16 << 10;

/** Of a client alone. */
export const noAccount: MemoryAccount = { set() {}, end() {} };

/** Bounded in bytes: beyond it, the client that takes most is closed first, until the others are within it. */
export class ClientMemory {
  readonly #bytesMax: number;
  readonly #accounts = new Set<Account>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param close Closes the connection of the client. */
  open(close: () => void): MemoryAccount {
    const account: Account = { request: 0, replies: 0, close };
    this.#accounts.add(account);
    return {
      set: (kind, bytes) => {
        const counted = bytes > uncountedBytes ? bytes : 0;
        const more = counted - account[kind];
        if (more === 0 || !this.#accounts.has(account)) return;
        account[kind] = counted;
        this.#bytes += more;
        if (more > 0) this.#closeUntilWithin();
      },
      end: () => this.#end(account),
    };
  }

  #closeUntilWithin(): void {
    while (this.#bytes > this.#bytesMax) {
      let most: Account | undefined;
      for (const account of this.#accounts) {
        if (most === undefined || sizeOf(account) > sizeOf(most)) most = account;
      }
      if (most === undefined) return;
      this.#end(most);
      most.close();
    }
  }

  #end(account: Account): void {
    if (this.#accounts.delete(account)) this.#bytes -= sizeOf(account);
  }
}

function sizeOf({ request, replies }: Account): number {
  return request + replies;
}

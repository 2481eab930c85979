// One client of the `lm://` protocol: strictly one request after the other.
import type { ClientStore, ValueWriter } from '../../core/cache/index.ts';
import { ChainWatch } from '../../core/eviction/index.ts';
import type { LmLayout, LmRequest } from '../../core/lm/index.ts';
import type { CommandTurns } from './command-turns.ts';
import { leaseFor } from './commands/call.ts';
import type { LoadValues } from './loading.ts';
import type { ReplyWriter } from './reply-writer.ts';

/** What all connections share. */
export interface LmService {
  readonly store: ClientStore;
  readonly load: LoadValues;
  readonly layout: LmLayout;
  /** What may be checked and written for all clients in one turn, in bytes. */
  readonly valueTurns: Pick<CommandTurns, 'isSpent' | 'next'>;
  /** Whether evictions depend on the order of requests. */
  readonly watchesChains: boolean;
  /** Called with the name of each command. */
  readonly requested: (command: string) => void;
}

export class LmConnection {
  readonly #store: ClientStore;
  readonly #load: LoadValues;
  readonly #turns: LmService['valueTurns'];
  readonly #requested: LmService['requested'];
  readonly #replies: ReplyWriter;
  readonly #layout: LmLayout;
  readonly #head: Uint8Array;
  #headLength = 0;
  /** Bytes of a PUT that are still to come. */
  #bodyRest = 0;
  /** Where they go. */
  #writer: ValueWriter | undefined;
  /** Key of the PUT whose body comes. */
  #key = '';
  readonly #chains: ChainWatch | undefined;
  #requests = 0;

  /** Called when it is no longer busy. */
  whenReady = () => {};
  #isBusy = false;
  #isClosed = false;
  /** Called before each reply to a client that waits for it. */
  whenReplying = () => {};
  /** Whether the client has ever sent a request before the reply to another one, as LMCache never does. */
  #isPipelining = false;

  constructor(service: LmService, replies: ReplyWriter) {
    const { store, load, layout, watchesChains, requested } = service;
    this.#turns = service.valueTurns;
    replies.whenWritten = () => {
      if (!this.#isBusy) this.whenReady();
    };
    if (watchesChains) {
      this.#chains = new ChainWatch((key, before) => store.follows(key, before));
    }
    this.#store = store;
    this.#load = load;
    this.#requested = requested;
    this.#replies = replies;
    this.#layout = layout;
    this.#head = new Uint8Array(layout.requestBytes);
  }

  /** Requests that have begun. */
  get requests(): number {
    return this.#requests;
  }

  /** Whether a value has to come before the reply, and nothing else is taken. */
  get isBusy(): boolean {
    return this.#isBusy || this.#replies.isBusy;
  }

  /** Whether a request has begun and is not complete. */
  get isWaiting(): boolean {
    return this.#headLength > 0 || this.#bodyRest > 0;
  }

  /**
   * Takes bytes of the client.
   *
   * @returns The number taken: fewer than all if replies wait for the client.
   * @throws {RangeError} If a request makes no sense; the connection has to be closed.
   */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.isBusy && !(this.#replies.isFull && !this.isWaiting)) {
      at += this.#bodyRest > 0 ? this.#body(bytes.subarray(at)) : this.#header(bytes.subarray(at));
    }
    return at;
  }

  /** Memory in which the next bytes of a PUT may be received; undefined if they have to be taken. */
  space(): Uint8Array | undefined {
    return this.#bodyRest === 0 ? undefined : this.#writer?.space();
  }

  /** Counts bytes that have been received in `space`. */
  filled(count: number): void {
    this.#writer?.filled(count);
    this.#bodyRest -= count;
    if (this.#bodyRest === 0) this.#endPut();
  }

  /** The connection is gone: a value that is not complete is never seen. */
  close(): void {
    this.#isClosed = true;
    this.#writer?.abort();
    this.#writer = undefined;
  }

  #header(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#head.length - this.#headLength);
    if (this.#headLength === 0) this.#requests++;
    this.#head.set(part, this.#headLength);
    this.#headLength += part.length;
    if (this.#headLength === this.#head.length) {
      this.#headLength = 0;
      const request = this.#layout.readRequest(this.#head);
      if (request.command !== 'put' && part.length < bytes.length) this.#isPipelining = true;
      this.#request(request);
    }
    return part.length;
  }

  #body(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#bodyRest);
    this.#bodyRest -= part.length;
    this.#writer?.write(part);
    if (this.#bodyRest === 0) this.#endPut();
    return part.length;
  }

  #request({ command, length, key, label }: LmRequest): void {
    this.#requested(command ?? 'unknown');
    switch (command) {
      case 'put':
        if (length < 0) throw new RangeError(`A body of ${length} bytes`);
        this.#key = key;
        this.#writer = this.#store.receive(key, length, label);
        this.#bodyRest = length;
        if (length === 0) this.#endPut();
        return;
      case 'get':
        if ((this.#has(key) && this.#store.isBelow(key)) || this.#store.isElsewhere(key)) {
          this.#afterLoad(key, () => this.#get(key));
        } else if (this.#turns.isSpent) this.#inTurn(() => this.#get(key));
        else this.#get(key);
        return;
      case 'exist':
        if (this.#store.isElsewhere(key)) this.#afterLoad(key, () => this.#exist(key));
        else this.#exist(key);
        return;
      case 'health':
        this.#reply(200);
        return;
      case 'list':
        if (this.#layout.refusesList) this.#reply(400);
        return;
      case undefined:
        // The reference server sends nothing, so no client waits for a reply.
        return;
    }
  }

  /** A PUT has no reply. */
  #endPut(): void {
    this.#writer?.commit();
    this.#writer = undefined;
    this.#chains?.saw('store', this.#key);
  }

  /**
   * Whether the value came over `lm://`. One of a Redis client has no type and no shape, so that LMCache could not
   * make a tensor of it.
   */
  #has(key: string): boolean {
    return this.#store.label(key) !== undefined;
  }

  #afterLoad(key: string, reply: () => void): void {
    this.#isBusy = true;
    this.#load([key]).then(() => this.#goOn(reply));
  }

  #inTurn(reply: () => void): void {
    this.#isBusy = true;
    this.#turns.next(() => this.#goOn(reply));
  }

  #goOn(reply: () => void): void {
    if (this.#isClosed) return;
    this.#isBusy = false;
    reply();
    if (!this.isBusy) this.whenReady();
  }

  #exist(key: string): void {
    const isThere = this.#has(key) && this.#store.exists(key);
    this.#chains?.saw('look up', key, isThere);
    this.#reply(isThere ? 200 : 400);
  }

  #get(key: string): void {
    const value = this.#has(key) ? leaseFor(this.#replies, this.#store, key) : undefined;
    this.#chains?.saw('load', key, value !== undefined);
    if (value === undefined) {
      this.#reply(400);
      return;
    }
    this.#announceReply();
    this.#replies.writeValue(this.#layout.reply(200, value.size, value.label), value);
  }

  #reply(status: 200 | 400): void {
    this.#announceReply();
    this.#replies.write(this.#layout.reply(status));
  }

  #announceReply(): void {
    if (!this.#isPipelining) this.whenReplying();
  }
}

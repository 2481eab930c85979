// The values that one client relies on until its next transaction: WATCH and UNWATCH.
import type { ClientStore, WatchedValue } from '../../core/cache/index.ts';
import type { RespCall } from './commands/call.ts';
import { isFirstOwner } from './commands/cluster.ts';

/** Keys that one client watches. */
const keysMax = 10_000;

const tooMany = `ERR a client watches at most ${keysMax} keys`;
const tooMuch = 'ERR the watched keys of all clients take too much memory';
const severalServers =
  'ERR WATCH needs one server for a key, and others share the keys of this one: only a client of Redis Cluster is sent to that server';
const isVoid = '; the next EXEC executes nothing. Send MULTI and EXEC without it.';

export class ClientWatches {
  readonly #call: RespCall;
  /** By key, and by the store of the client's user: keys of two users are different ones. */
  readonly #watched = new Map<ClientStore, Map<string, WatchedValue>>();
  #count = 0;
  #isRefused = false;
  #isLost = false;

  constructor(call: RespCall) {
    this.#call = call;
  }

  get isEmpty(): boolean {
    return this.#count === 0 && !this.#isLost && !this.#isRefused;
  }

  /** Whether WATCH was refused: the next transaction relies on it. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether a value is no longer as it was. */
  get hasChanged(): boolean {
    if (this.#isLost) return true;
    for (const values of this.#watched.values()) {
      for (const value of values.values()) if (value.hasChanged) return true;
    }
    return false;
  }

  /** Another process watched for the client: what changed meanwhile is not known. */
  lose(): void {
    this.#isLost = true;
  }

  /** @returns Undefined, or an error; the next transaction is void then. */
  add(keys: readonly string[]): string | undefined {
    const error = this.#refusal(keys);
    if (error === undefined) return undefined;
    this.#isRefused = true;
    return error + isVoid;
  }

  #refusal(keys: readonly string[]): string | undefined {
    const { store, cluster, isClusterClient } = this.#call;
    if (cluster !== undefined && !(isClusterClient && isFirstOwner(cluster, keys))) {
      return severalServers;
    }
    const known = this.#watched.get(store) ?? new Map<string, WatchedValue>();
    this.#watched.set(store, known);
    for (const key of keys) {
      if (known.has(key)) continue;
      if (this.#count >= keysMax) return tooMany;
      const value = store.watch(key);
      if (value === undefined) return tooMuch;
      known.set(key, value);
      this.#count++;
    }
    return undefined;
  }

  /** Watches nothing from now on. */
  end(): void {
    for (const values of this.#watched.values()) for (const value of values.values()) value.end();
    this.#watched.clear();
    this.#count = 0;
    this.#isRefused = false;
    this.#isLost = false;
  }
}

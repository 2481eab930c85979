// Serves clients while there is no store: every value is a miss, and what is stored is dropped.
import type { Clock } from '../../../core/base/index.ts';
import { MemoryStore, TieredStore } from '../../../core/cache/index.ts';
import type { LmLayoutName } from '../../../core/lm/index.ts';
import type { SharedKey } from '../../../io/secrets/index.ts';
import { Clients } from '../clients.ts';
import { KeySpaces } from '../key-spaces.ts';
import { noPeers, peerAccess } from '../peer-access.ts';
import { spoken } from '../protocols.ts';
import { type CacheUser, Users } from '../users.ts';
import type { LinkedStore } from './store-link.ts';

/** A store without room. It takes values of any size, because a client should see a value evicted, not an error. */
class EmptyStore extends TieredStore {
  override get valueBytesMax(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** What clients of the store need, too. */
export interface StandInOptions {
  readonly password?: string | undefined;
  readonly users?: readonly CacheUser[] | undefined;
  /** What other cache servers give; undefined without others. */
  readonly peersKey?: Pick<SharedKey, 'isRight'> | undefined;
  readonly lmLayout?: LmLayoutName | undefined;
  readonly clock: Clock;
  /** Seconds since 1970. */
  readonly wallClock: Clock;
}

export function standIn(options: StandInOptions): LinkedStore {
  const { clock, wallClock, password, users, lmLayout, peersKey } = options;
  const memory = new MemoryStore({ bytesMax: 0, clock, checksum: () => 0 });
  const store = new EmptyStore(memory, wallClock);
  const spaces = new KeySpaces(store, { readTimeoutMs: 0, tracing: undefined });
  // The store itself limits connections.
  const clients = new Clients({ connectionsMax: Number.POSITIVE_INFINITY }, memory);
  const speak = spoken({
    valueTurns: clients.valueTurns,
    ...{ spaces, users: new Users(users ?? [], password), wallClock, lmLayout },
    ...{ watchesChains: false, redirects: 'auto', cluster: () => undefined },
    peerAccess: peersKey === undefined ? noPeers : peerAccess(peersKey, () => []),
  });
  return {
    adopt: (protocol, handle, handedOver) =>
      clients.adopt(protocol, speak[protocol], handle, handedOver),
    spaces,
    urls: [],
  };
}

// What the connections of Redis' protocol share, and what passes from one process to another with a client.
import type { Clock } from '../../core/base/index.ts';
import type { ClientStore, TieredStore } from '../../core/cache/index.ts';
import type { RespVersion } from '../../core/resp/index.ts';
import type { CommandTurns } from './command-turns.ts';
import type { LoadValues } from './loading.ts';
import type { ValueSizes } from './miss-padding.ts';
import type { PeerAccess } from './peer-access.ts';
import type { RespClients } from './resp-clients.ts';
import type { Cluster } from './slot-owners.ts';
import type { TransactionMemory } from './transaction.ts';
import type { Users } from './users.ts';

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
  readonly peerAccess: PeerAccess;
  /** By the name of a tenant; empty for the shared key space. */
  readonly space: (name: string) => RespSpace;
  /** The keys of all tenants, for other cache servers. */
  readonly whole: Pick<RespSpace, 'load'> & { readonly store: TieredStore };
  /** Seconds since 1970. */
  readonly wallClock: Clock;
  readonly turns: CommandTurns;
  /** The same for the bytes of values. */
  readonly valueTurns: CommandTurns;
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
  /** Whether it watches values; what changes them while another process takes over is not known. */
  readonly isWatching?: boolean | undefined;
  /** Name of its user; undefined for a client that has to authenticate. */
  readonly user?: string | undefined;
}

// What a command gets: the client's connection and the store.
import type { Clock } from '../../../core/base/index.ts';
import type {
  ClientStore,
  TieredStore,
  ValueLease,
  ValueWriter,
} from '../../../core/cache/index.ts';
import { bulkHead, lineEnd, nullReply, type RespVersion } from '../../../core/resp/index.ts';
import { bytesPerKey, type CommandTurns } from '../command-turns.ts';
import type { MissPadding } from '../miss-padding.ts';
import type { ReplyWriter } from '../reply-writer.ts';
import type { RespClients } from '../resp-clients.ts';
import type { Cluster } from '../slot-owners.ts';

/** A client and its store. */
export interface RespCall {
  /** The store as this client sees it; it changes with the client's user. */
  store: ClientStore;
  /** The keys of all tenants, for other cache servers. */
  readonly whole: TieredStore;
  readonly replies: ReplyWriter;
  /** What all clients may still look at in this turn, in bytes. */
  readonly valueTurns: Pick<CommandTurns, 'spend' | 'isSpent'>;
  /** Seconds since 1970, for times that clients give as such. */
  readonly wallClock: Clock;
  /** Number of the connection. */
  readonly id: number;
  /** For CLIENT LIST; see `RespClient`. */
  readonly address: string;
  readonly since: number;
  usedAt: number;
  library: string;
  libraryVersion: string;
  lastCommand: string;
  readonly clients: RespClients;
  version: RespVersion;
  name: string;
  /** Name of the user as which it is authenticated. */
  user: string;
  /** Whether it is another cache server: what it asks for is not asked of others again. */
  isPeer: boolean;
  /** Whether it may become one. @param key That it gives. */
  isAdmittedPeer(key: string | undefined): boolean;
  /** The servers that share keys; undefined for a server alone. */
  readonly cluster: Cluster | undefined;
  /** Whether it has asked for them, so that it understands redirections. */
  isClusterClient: boolean;
  /** What a miss looks like to this client. */
  readonly misses: MissPadding;
}

/** A value that is in the store's memory already. */
export interface StreamedValue {
  readonly writer: ValueWriter;
}

/** A reply; undefined if it was written already. */
export type Reply = Uint8Array | undefined;

/** A command that takes several turns of the event loop, and what it returns in the end. */
export type Steps = Generator<undefined, Reply>;

export interface RespCommand {
  /** Number of arguments after the name. */
  readonly min: number;
  readonly max: number;
  /** Whether it looks at many keys: it waits for its turn, like a value. @default false */
  readonly isHeavy?: boolean;
  run(call: RespCall, args: readonly string[], streamed?: StreamedValue): Reply | Steps;
}

/** Redis' error for a client that has to say who it is. */
export const noAuthentication = 'NOAUTH Authentication required.';

export const any = Number.POSITIVE_INFINITY;

/** Redis' error for a number of arguments. @param command In any case; a subcommand after a `|`. */
export function argumentsError(command: string): string {
  return `ERR wrong number of arguments for '${command.toLowerCase()}' command`;
}

/** Keys of one step of a command that looks at all of them. */
const stepKeys = 1_000;

/** How many values the client's tenant has. */
export function* countEntries({ store, valueTurns }: RespCall): Generator<undefined, number> {
  if (store.knowsEntries) return store.entries;
  let [entries, cursor] = [0, 0];
  do {
    const { found, next } = store.countStep(cursor, stepKeys);
    entries += found;
    cursor = next;
    valueTurns.spend(stepKeys * bytesPerKey);
    if (cursor !== 0) yield;
  } while (cursor !== 0);
  return entries;
}

/** A value whose bytes are checked, or are checked as they are written. */
export function leaseFor(
  replies: ReplyWriter,
  store: ClientStore,
  key: string,
): ValueLease | undefined {
  return store.lease(key, !replies.checksFirst(store.size(key) ?? 0));
}

/** Replies with a value, or with a miss. */
export function replyValue({ store, replies, version, misses }: RespCall, key: string): Reply {
  // A miss is always right for a cache; a client that does not read must not hold all of its memory.
  const value = replies.isCrowded ? undefined : leaseFor(replies, store, key);
  if (value === undefined) return misses.reply(key) ?? nullReply(version);
  replies.writeValue(bulkHead(value.size), value, lineEnd);
  return undefined;
}

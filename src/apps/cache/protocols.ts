// The two protocols as conversations.
import { type LmLayoutName, lmLayouts } from '../../core/lm/index.ts';
import type { CacheProtocol } from './cache-metrics.ts';
import type { ClientOrigin, Speak } from './clients.ts';
import { CommandTurns } from './command-turns.ts';
import type { Conversation } from './conversation.ts';
import type { KeySpaces } from './key-spaces.ts';
import { LmConnection, type LmService } from './lm-connection.ts';
import type { ReplyWriter } from './reply-writer.ts';
import type { RespClient } from './resp-clients.ts';
import { RespConnection } from './resp-connection.ts';
import type { RespService, RespSession } from './resp-service.ts';
import { TransactionMemory } from './transaction.ts';

export interface SpokenOptions
  extends Pick<
    RespService,
    'users' | 'wallClock' | 'watchesChains' | 'redirects' | 'cluster' | 'peerAccess' | 'valueTurns'
  > {
  readonly spaces: KeySpaces;
  /** @default '186' */
  readonly lmLayout?: LmLayoutName | undefined;
}

/** The protocols as they are spoken to the clients of one store. */
export function spoken({
  spaces,
  lmLayout = '186',
  ...service
}: SpokenOptions): Readonly<Record<CacheProtocol, Speak>> {
  const { watchesChains, valueTurns } = service;
  const layout = lmLayouts[lmLayout];
  const lmService = { ...spaces.lm(), layout, watchesChains, valueTurns };
  const space = (name: string) => spaces.resp(name);
  const turns = new CommandTurns(setImmediate);
  const shared = { transactions: new TransactionMemory(), clients: new Set<RespClient>() };
  let ids = 0;
  return {
    lm: (replies, { requested }) => lmConversation({ ...lmService, requested }, replies),
    resp: (replies, { requested }, origin, session) =>
      respConversation(
        { ...service, ...shared, space, whole: spaces.whole, turns, requested },
        replies,
        { id: ++ids, origin },
        session as RespSession | undefined,
      ),
  };
}

function lmConversation(service: LmService, replies: ReplyWriter): Conversation {
  const connection = new LmConnection(service, replies);
  let kept: Uint8Array = new Uint8Array(0);
  const goesOn = () => kept.length === 0 && !connection.isBusy;
  return {
    push(bytes) {
      // A copy: a Buffer's slice would be none.
      kept = new Uint8Array(bytes.subarray(connection.take(bytes)));
      return goesOn();
    },
    resume() {
      kept = kept.subarray(connection.take(kept));
      return goesOn();
    },
    space: () => connection.space(),
    filled(count) {
      connection.filled(count);
      return goesOn();
    },
    get requests() {
      return connection.requests;
    },
    get isWaiting() {
      return connection.isWaiting;
    },
    get isBusy() {
      return connection.isBusy;
    },
    set whenReady(ready: () => void) {
      connection.whenReady = ready;
    },
    set whenReplying(replying: () => void) {
      connection.whenReplying = replying;
    },
    session: undefined,
    close: () => connection.close(),
  };
}

function respConversation(
  service: RespService,
  replies: ReplyWriter,
  client: { readonly id: number; readonly origin: ClientOrigin },
  session: RespSession | undefined,
): Conversation {
  const connection = new RespConnection(service, replies, client, session);
  return {
    push(bytes) {
      connection.push(bytes);
      return !connection.isPaused;
    },
    resume() {
      connection.resume();
      return !connection.isPaused;
    },
    space: () => connection.space(),
    filled(count) {
      connection.filled(count);
      return !connection.isPaused;
    },
    get requests() {
      return connection.requests;
    },
    get isWaiting() {
      return connection.isWaiting;
    },
    get isBusy() {
      return connection.isBusy;
    },
    set whenReady(ready: () => void) {
      connection.whenReady = ready;
    },
    // Its clients may send requests before they have replies.
    whenReplying: () => {},
    get session() {
      return connection.session;
    },
    close: () => connection.close(),
  };
}

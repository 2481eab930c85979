// The two protocols as conversations.
import type { Conversation } from './conversation.ts';
import { LmConnection, type LmService } from './lm-connection.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { RespConnection, type RespService } from './resp-connection.ts';

export function lmConversation(service: LmService, replies: ReplyWriter): Conversation {
  const connection = new LmConnection(service, replies);
  let kept: Uint8Array = new Uint8Array(0);
  const take = (bytes: Uint8Array) => {
    kept = bytes.subarray(connection.take(bytes));
    return kept.length === 0 && !connection.isBusy;
  };
  return {
    push: (bytes) => take(bytes),
    resume: () => take(kept),
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
    close: () => connection.close(),
  };
}

export function respConversation(
  service: RespService,
  replies: ReplyWriter,
  id: number,
): Conversation {
  const connection = new RespConnection(service, replies, id);
  return {
    push(bytes) {
      connection.push(bytes);
      return !connection.isPaused;
    },
    resume() {
      connection.resume();
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
    close: () => connection.close(),
  };
}

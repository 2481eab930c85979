// The two protocols as conversations.
import type { Conversation } from './conversation.ts';
import { LmConnection, type LmService } from './lm-connection.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { RespConnection, type RespService } from './resp-connection.ts';

export function lmConversation(service: LmService, replies: ReplyWriter): Conversation {
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
    close: () => connection.close(),
  };
}

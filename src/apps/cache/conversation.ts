// The bytes of one client, whatever its protocol: pauses, deadlines, and an end without lost replies.
import { performance } from 'node:perf_hooks';
import type { ClientSocket } from './client-reads.ts';

/** What a protocol does with the bytes of one client. */
export interface Conversation {
  /** Takes bytes, which may be overwritten afterwards; false if the client has to read replies first, if a value has to come first, or if it is the turn of others. @throws If the connection has to be closed. */
  push(bytes: Uint8Array): boolean;
  /** Goes on after `push` was false. */
  resume(): boolean;
  /** Memory in which the next bytes may be received in place of a `push`; undefined if there is none. */
  space(): Uint8Array | undefined;
  /** Takes bytes that have been received in `space`; returns as `push`. */
  filled(count: number): boolean;
  /** Whether it waits for a value or for its turn, not for the client. */
  readonly isBusy: boolean;
  /** Called when it is no longer busy. */
  whenReady: () => void;
  /** Called before the reply to a client that has sent nothing after its request, and never sends anything before it has the reply. */
  whenReplying: () => void;
  /** Requests that have begun. */
  readonly requests: number;
  /** Whether the last of them is not complete. */
  readonly isWaiting: boolean;
  /** What another process has to know between two requests to go on with this client, as JSON; undefined if nothing. */
  readonly session: unknown;
  close(): void;
}

/** Times after which the connection of a request that is not complete is closed. */
export interface RequestDeadlines {
  /** Without another byte. */
  readonly stalledMs: number;
  /** In all, for each request. */
  readonly requestMs: number;
  /** For a client that takes no byte of its replies, whose values cannot be evicted meanwhile. */
  readonly unreadMs: number;
}

/**
 * What a client waits for if this process ends now: for nothing, for a reply, or for nothing if the kernel has already taken the reply
 * that is just being written.
 */
export type ClientState = 'idle' | 'busy' | 'replying';

/** Why the server closed a connection. */
export type CloseReason = 'stalled' | 'too slow' | 'unread' | 'syntax' | 'memory';

export interface OpenConversation {
  /** Closes the connection once the request that has begun is complete and its reply is written. */
  finish(): void;
  /** As `finish`, but the connection stays, and is not read from any more. @param then Called then; never if the client leaves before. */
  release(then: () => void): void;
}

/**
 * Connects a socket with its protocol.
 *
 * @param onClosing Called when the server closes the connection on its own.
 * @param mark Called with each new state of the client.
 */
export function converse(
  { socket, output, endSoon, queuedBytes, start }: ClientSocket,
  conversation: Conversation,
  deadlines: RequestDeadlines,
  onClosing: (reason: CloseReason) => void,
  mark: (state: ClientState) => void = () => {},
): OpenConversation {
  /** What happens between two requests, once. */
  let atEnd: (() => void) | undefined;
  /** Whether what the client has sent waits until it has read replies. */
  let isPaused = false;
  const isIdle = () => !isPaused && !conversation.isWaiting;
  /** Calls a function when the kernel has all replies so far. */
  const afterReplies = (then: () => void) => {
    output.write(new Uint8Array(0), (error) => {
      // Not within a read of the same connection.
      if (!error) setImmediate(then);
    });
  };
  let marked: ClientState = 'idle';
  const markAs = (state: ClientState) => {
    if (state === marked) return;
    marked = state;
    mark(state);
  };
  const unmark = () => {
    if (marked === 'idle' || !isIdle()) return;
    if (output.writableLength === 0) markAs('idle');
    else {
      // The client waits for the rest of a value.
      markAs('busy');
      afterReplies(unmark);
    }
  };
  conversation.whenReplying = () => markAs('replying');
  const closeFor = (reason: CloseReason) => {
    onClosing(reason);
    socket.destroy();
  };
  let seen = '';
  let silentMs = 0;
  const { stalledMs, unreadMs } = deadlines;
  socket.setTimeout(stalledMs);
  // After a time without a byte; a listener that is given to setTimeout would be called once only.
  socket.on('timeout', () => {
    if (!isPaused && output.writableLength === 0) {
      if (conversation.isWaiting) closeFor('stalled');
      return;
    }
    const now = [socket.bytesRead, socket.bytesWritten, queuedBytes()].join();
    silentMs = now === seen ? silentMs + stalledMs : stalledMs;
    seen = now;
    if (silentMs >= unreadMs) closeFor('unread');
    else socket.setTimeout(stalledMs);
  });
  /** One timer for all requests, which looks when the present one began: a timer for each would cost more than a command. */
  let late: NodeJS.Timeout | undefined;
  /** The request that has begun: a client that sends one upload after the other has a deadline for each. */
  let watched = 0;
  let beganMs: number | undefined;
  const checkLate = () => {
    late = undefined;
    if (beganMs === undefined) return;
    const leftMs = beganMs + deadlines.requestMs - performance.now();
    if (leftMs <= 0) closeFor('too slow');
    else late = setTimeout(checkLate, leftMs);
  };
  const watch = () => {
    if (atEnd !== undefined && isIdle()) {
      const end = atEnd;
      atEnd = undefined;
      end();
    }
    if (!conversation.isWaiting) {
      beganMs = undefined;
      return;
    }
    if (beganMs !== undefined && conversation.requests === watched) return;
    watched = conversation.requests;
    beganMs = performance.now();
    late ??= setTimeout(checkLate, deadlines.requestMs);
  };
  const guarded = (step: () => boolean) => {
    let goesOn: boolean;
    try {
      goesOn = step();
    } catch {
      // The protocol has replied what there is to say; the stream is out of step.
      onClosing('syntax');
      endSoon();
      return;
    }
    isPaused = !goesOn;
    if (goesOn) return;
    socket.pause();
    // A client that is read from again may have both to wait for, one after the other.
    if (!conversation.isBusy) output.once('drain', goOn);
  };
  const goOn = () => {
    if (socket.destroyed) return;
    isPaused = false;
    socket.resume();
    guarded(() => conversation.resume());
    unmark();
    watch();
  };
  conversation.whenReady = () => {
    if (output.writableNeedDrain) output.once('drain', goOn);
    else goOn();
  };
  const take = (step: () => boolean) => {
    if (!output.writable) return;
    markAs('busy');
    guarded(step);
    unmark();
    watch();
  };
  start({
    space: () => (output.writable ? conversation.space() : undefined),
    filled: (count) => take(() => conversation.filled(count)),
    push: (bytes) => take(() => conversation.push(bytes)),
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(late);
    conversation.close();
  });
  return {
    finish() {
      atEnd = endSoon;
      watch();
    },
    release(then) {
      atEnd = () => {
        socket.pause();
        afterReplies(then);
      };
      watch();
    },
  };
}

// Clients as a source of requests: each sends its next when it has the answer to the one before.
import { MinHeap } from '../base/index.ts';
import type { RequestSource } from '../traces/index.ts';
import type { PromptNode, PromptTree } from './prompt-tree.ts';

/** One request of a conversation, as its client means to send it. */
export interface Turn {
  /** When the client means to send it; if that has passed, it is sent at once. */
  readonly atSeconds: number;
  readonly prompt: PromptNode;
  readonly answerTokens: number;
}

/** What comes back to the client. */
export interface Answer {
  readonly sentSeconds: number;
  readonly answeredSeconds: number;
  /** Prompt and answer: where the conversation goes on. */
  readonly text: PromptNode;
}

/** A client: gives its turns one by one, and hears of each answer before it gives the next. */
export type Conversation = Generator<Turn, void, Answer>;

/** A conversation that begins at some time. */
export interface NewConversation {
  readonly startSeconds: number;
  readonly session: string;
  readonly turns: Conversation;
}

export interface ConversationsOptions {
  readonly tree: PromptTree;
  /** In order of their start; taken one at a time, so it may be without end. */
  readonly conversations: Iterable<NewConversation>;
  /** Requests after which no more is sent. */
  readonly requestsMax: number;
  /** Time from which on nothing is sent. */
  readonly untilSeconds: number;
}

interface Pending {
  readonly session: string;
  readonly turns: Conversation;
  readonly turn: Turn;
}

interface Sent extends Pending {
  readonly sentSeconds: number;
  readonly text: PromptNode;
}

/** Conversations under way as a source. Memory grows with those under way, not with their number. */
export function conversationSource(options: ConversationsOptions): RequestSource {
  const { tree, requestsMax, untilSeconds } = options;
  const starts = options.conversations[Symbol.iterator]();
  let start = starts.next();
  const due = new MinHeap<Pending>();
  const sent = new Map<number, Sent>();
  let count = 0;
  let now = 0;

  const go = (session: string, turns: Conversation, result: IteratorResult<Turn, void>) => {
    if (result.done) return;
    const at = Math.max(now, result.value.atSeconds);
    if (at < untilSeconds) due.add(at, { session, turns, turn: result.value });
  };
  /** Conversations that start before anything else is due have to give their first turn. */
  const begin = () => {
    while (!start.done && start.value.startSeconds <= due.leastRank) {
      if (start.value.startSeconds >= untilSeconds) return;
      const { session, turns } = start.value;
      go(session, turns, turns.next());
      start = starts.next();
    }
  };
  return {
    blockTokens: tree.blockTokens,
    get nextSeconds() {
      if (count >= requestsMax) return Number.POSITIVE_INFINITY;
      begin();
      return due.leastRank;
    },
    take() {
      now = Math.max(now, this.nextSeconds);
      const pending = due.take();
      if (pending === undefined) throw new Error('No request is due');
      const { prompt, answerTokens } = pending.turn;
      const text = tree.extend(prompt, answerTokens);
      sent.set(count++, { ...pending, sentSeconds: now, text });
      return {
        arrivalSeconds: now,
        promptTokens: prompt.tokens,
        outputTokens: answerTokens,
        blockIds: tree.blockIds(text),
        session: pending.session,
        coversAnswer: true,
      };
    },
    answered(index, nowSeconds) {
      const request = sent.get(index);
      if (request === undefined) return;
      sent.delete(index);
      now = Math.max(now, nowSeconds);
      const { sentSeconds, text, session, turns } = request;
      go(session, turns, turns.next({ sentSeconds, answeredSeconds: nowSeconds, text }));
    },
  };
}

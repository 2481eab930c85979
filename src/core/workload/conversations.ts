// Clients as a source of requests: each sends its next request when the previous one is complete.
import { MinHeap } from '../base/index.ts';
import type { RequestSource, WorkloadRequest } from '../traces/index.ts';
import type { PromptNode, PromptTree } from './prompt-tree.ts';

/** One request of a conversation, as its client intends to send it. */
export interface Turn {
  /** When the client intends to send it; if that time has passed, it is sent at once. */
  readonly atSeconds: number;
  readonly prompt: PromptNode;
  readonly answerTokens: number;
  /** LoRA adapter that the request needs. */
  readonly adapterId?: number | undefined;
}

/** The response to the client. */
export interface Answer {
  readonly sentSeconds: number;
  readonly answeredSeconds: number;
  /** Prompt and response, from which the conversation continues. */
  readonly text: PromptNode;
}

/** A client: yields its turns one by one, and receives each response before it yields the next. */
export type Conversation = Generator<Turn, void, Answer>;

/** A conversation with its start time. */
export interface NewConversation {
  readonly startSeconds: number;
  readonly session: string;
  readonly turns: Conversation;
}

export interface ConversationsOptions {
  readonly tree: PromptTree;
  /** In order of their start; may be endless, since they are taken one at a time. */
  readonly conversations: Iterable<NewConversation>;
  /** Maximum number of requests to send. */
  readonly requestsMax: number;
  /** Time after which nothing is sent. */
  readonly untilSeconds: number;
}

/** A request with the text that it is part of. */
export interface ConversationRequest extends WorkloadRequest {
  readonly prompt: PromptNode;
  /** Prompt and response. */
  readonly text: PromptNode;
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

/** Returns conversations as a source of requests. Memory grows with those in progress, not with all. */
export function conversationSource(
  options: ConversationsOptions,
): RequestSource<ConversationRequest> {
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
  /** Starts the conversations that begin before anything else is due. */
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
      const { prompt, answerTokens, adapterId } = pending.turn;
      const text = tree.extend(prompt, answerTokens);
      sent.set(count++, { ...pending, sentSeconds: now, text });
      return {
        arrivalSeconds: now,
        promptTokens: prompt.tokens,
        outputTokens: answerTokens,
        blockIds: tree.blockIds(text),
        session: pending.session,
        ...(adapterId === undefined ? {} : { adapterId }),
        coversAnswer: true,
        prompt,
        text,
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

// Kinds with independent requests: each is sent at its time, or by the next free client.
import { randomExponential } from '../../base/index.ts';
import { type ArrivalProcess, arrivalTimes } from '../arrivals.ts';
import type { Conversation, NewConversation } from '../conversations.ts';
import type { PromptNode } from '../prompt-tree.ts';
import type { Clients, KindContext } from './kind.ts';

/** A prompt with the length of its response. */
export interface Draft {
  readonly prompt: PromptNode;
  readonly answerTokens: number;
  /** Name of the client. @default a new one for each request */
  readonly session?: string;
  /** LoRA adapter that the request needs. */
  readonly adapterId?: number | undefined;
}

/**
 * Sends the requests of `draft` one by one, at the arrivals or by the clients.
 *
 * @param fromSeconds When the first may be sent. @default 0
 */
export function* scheduled(
  { arrivals, random }: KindContext,
  draft: (number: number) => Draft,
  fromSeconds = 0,
): Generator<NewConversation> {
  if (arrivals === undefined) throw new Error('This kind needs arrivals');
  let count = 0;
  if (isClosed(arrivals)) {
    const { clients, thinkSeconds } = arrivals;
    const starts = clientStarts(arrivals);
    const client = function* (startSeconds: number): Conversation {
      for (let atSeconds = startSeconds; ; ) {
        const { prompt, answerTokens, adapterId } = draft(count++);
        const { answeredSeconds } = yield { atSeconds, prompt, answerTokens, adapterId };
        const pause = thinkSeconds === 0 ? 0 : randomExponential(random, thinkSeconds);
        atSeconds = answeredSeconds + pause;
      }
    };
    for (let i = 0; i < clients; i++) {
      const startSeconds = fromSeconds + (starts[i] as number);
      yield { startSeconds, session: `client-${i}`, turns: client(startSeconds) };
    }
    return;
  }
  const alone = function* (atSeconds: number, drafted: Draft): Conversation {
    const { prompt, answerTokens, adapterId } = drafted;
    yield { atSeconds, prompt, answerTokens, adapterId };
  };
  for (const arrivalSeconds of arrivalTimes(arrivals, random)) {
    const startSeconds = fromSeconds + arrivalSeconds;
    const drafted = draft(count);
    const session = drafted.session ?? `request-${count}`;
    count++;
    yield { startSeconds, session, turns: alone(startSeconds, drafted) };
  }
}

/**
 * Interval between the starts of two clients, and the longest time until all have started: clients that start together
 * stay together while their requests are equal, and their first prompts wait for each other as no later ones do.
 */
const clientGapSeconds = 0.01;
const startsSecondsMax = 1;

/** Time over which clients start if nothing says so; the users of `bench serve --users` start in the same way. */
function defaultRampSeconds(clients: number): number {
  return Math.min(clients * clientGapSeconds, startsSecondsMax);
}

/** Returns when each client sends its first request. */
export function clientStarts({
  clients,
  rampSeconds = defaultRampSeconds(clients),
}: Clients): number[] {
  return Array.from({ length: clients }, (_, i) => (i / clients) * rampSeconds);
}

export function isClosed(arrivals: ArrivalProcess | Clients): arrivals is Clients {
  return 'clients' in arrivals;
}

// Single requests: why an engine was picked (/debug/picks), and how requests ended (/debug/requests).
import { listOf, nullable, number, objectOf, oneOf, parserOf, text } from './json-shape.ts';

/** An entry of /debug/picks. */
export interface PickView {
  /** By the router's monotonic clock. */
  readonly atSeconds: number;
  readonly requestId: string;
  /** Null if the request named none. */
  readonly model: string | null;
  readonly promptTokens: number;
  readonly url: string;
  /** Name of the engine. */
  readonly engine: string;
  /** Why this engine. */
  readonly reason: string;
  /** Prompt tokens that were expected to be cached there. */
  readonly cachedTokens: number;
  /** URLs of the candidates, aligned with `scores`. */
  readonly candidates: readonly string[];
  /** Null where the policy has none. */
  readonly scores: readonly (number | null)[] | null;
}

/** How a request ended. `failed`: the engine, or the lack of one, is to blame. */
export type RequestOutcome = 'completed' | 'cancelled' | 'failed';

/** An entry of /debug/requests: a request that has ended. */
export interface RequestView {
  /** When it ended, by the router's monotonic clock. */
  readonly atSeconds: number;
  readonly requestId: string;
  /** Null if the request named none. */
  readonly model: string | null;
  /** URL and name of the last engine that it was sent to; null if it was refused before. */
  readonly url: string | null;
  readonly engine: string | null;
  readonly outcome: RequestOutcome;
  /** Of the response. */
  readonly status: number;
  /** Null if the response was not streamed. */
  readonly ttftSeconds: number | null;
  /** From its arrival to its end. */
  readonly seconds: number;
  /** From its arrival until it was sent to that engine; null if it was not. */
  readonly sentSeconds: number | null;
  /** How often it was sent. */
  readonly attempts: number;
  /** As the response reported them, else as the router counted or estimated them. */
  readonly promptTokens: number;
  /** The part of them that came from the prefix cache. Null if the response did not report it. */
  readonly cachedTokens: number | null;
  /** Null if the response did not report them. */
  readonly outputTokens: number | null;
}

const picks = listOf(
  objectOf<PickView>({
    atSeconds: number,
    requestId: text,
    model: nullable(text),
    promptTokens: number,
    url: text,
    engine: text,
    reason: text,
    cachedTokens: number,
    candidates: listOf(text),
    scores: nullable(listOf(nullable(number))),
  }),
);

const requests = listOf(
  objectOf<RequestView>({
    atSeconds: number,
    requestId: text,
    model: nullable(text),
    url: nullable(text),
    engine: nullable(text),
    outcome: oneOf(['completed', 'cancelled', 'failed']),
    status: number,
    ttftSeconds: nullable(number),
    seconds: number,
    sentSeconds: nullable(number),
    attempts: number,
    promptTokens: number,
    cachedTokens: nullable(number),
    outputTokens: nullable(number),
  }),
);

/** Reads /debug/picks. @throws {JsonShapeError} */
export const parsePickViews: (json: string) => readonly PickView[] = parserOf(picks);

/** Reads /debug/requests. @throws {JsonShapeError} */
export const parseRequestViews: (json: string) => readonly RequestView[] = parserOf(requests);

// What the invariants record of one request.
import type { AttemptOutcome } from '../attempts/index.ts';
import type { AttemptEnd } from './attempt-ends.ts';
import type { FaultyRouter } from './faulty-router.ts';

/** A request as the invariants look at it. */
export interface CheckedRequest {
  readonly name: string;
  readonly router: FaultyRouter;
  /** Whether an attempt of it has an open connection. */
  readonly isConnected: boolean;
  /** Whether its response may go on at another engine. */
  readonly migrates: boolean;
  /** Tokens of its whole response. */
  readonly responseTokens: number;
}

/** The record of one request. */
export interface RequestBook {
  /** Without those after which another engine took the place of one. */
  attempts: number;
  /** Of the part of the response that is being made. */
  sends: number;
  /** Engine of the attempt in flight. */
  url: string | undefined;
  /** Engine of the last attempt that was or is the request's only one. */
  lastUrl: string;
  /** Engines that have the request or failed it. */
  readonly tried: Set<string>;
  /** Reads of the response of the last attempt, all that were relayed. */
  reads: number;
  /** Number of times that a response which had begun went on at another engine. */
  migrations: number;
  /** Tokens of the response that the client has received. */
  tokens: number;
  lastEnd: AttemptEnd | undefined;
  /** Engine of the second attempt beside it. */
  hedgeUrl: string | undefined;
  isHedged: boolean;
  /** How the second attempt ended, as the router observed it; and `wasFailing` and `isExcused` of it. */
  hedgeEnd: AttemptEnd | undefined;
  hedgeWasFailing: boolean;
  hedgeIsExcused: boolean;
  /** Engines that failed after they had received the request, without having failed another one shortly before. */
  broken: BrokenEngine[];
  /** When the last attempt and the hedge were sent, and when they failed. */
  sentSeconds: number;
  hedgeSentSeconds: number;
  failedSeconds: number;
  hedgeFailedSeconds: number;
  /** Whether the engine of the last attempt had failed another request when this one was sent. */
  wasFailing: boolean;
  /** Whether an engine that the request was never sent to had failed shortly before the last attempt did. */
  isExcused: boolean;
  readonly met: Set<string>;
  /** What its client has received. */
  hasHead: boolean;
  hasLastWord: boolean;
  hasLeft: boolean;
  outcome: AttemptOutcome | undefined;
}

export interface BrokenEngine {
  readonly url: string;
  readonly atSeconds: number;
  readonly isExcused: boolean;
}

/** The record of a request that nothing has happened to. */
export function newRequestBook(): RequestBook {
  return {
    ...{ attempts: 0, url: undefined, lastUrl: '', tried: new Set(), lastEnd: undefined },
    ...{ sentSeconds: 0, hedgeSentSeconds: 0, failedSeconds: 0, hedgeFailedSeconds: 0 },
    ...{ broken: [], wasFailing: false, isExcused: false, met: new Set() },
    ...{ hedgeUrl: undefined, isHedged: false, hedgeEnd: undefined },
    ...{ hedgeWasFailing: false, hedgeIsExcused: false },
    ...{ reads: 0, migrations: 0, sends: 0, tokens: 0 },
    ...{ hasHead: false, hasLastWord: false, hasLeft: false, outcome: undefined },
  };
}

// The invariants of every fault run, checked after each event. Keeps independent records of what the drivers
// do, and compares.
import type {
  AttemptDeadline,
  AttemptFailureKind,
  AttemptOutcome,
  HedgeOutcome,
  RetryPolicy,
} from '../attempts/index.ts';
import type { Clock } from '../base/index.ts';
import type { EndpointLoad } from '../routing/index.ts';
import type { FaultyEngine } from './faulty-engine.ts';
import type { FaultyRouter } from './faulty-router.ts';

/** Why an attempt may have ended, as the router observed it. */
export type AttemptEnd = AttemptFailureKind | AttemptDeadline | number;

/** An invariant is violated. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

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
interface RequestBook {
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

interface BrokenEngine {
  readonly url: string;
  readonly atSeconds: number;
  readonly isExcused: boolean;
}

/** A failure of an engine, as a router observed it. */
interface EngineFailure {
  readonly sentSeconds: number;
  /** Undefined for one of another router. */
  readonly request: CheckedRequest | undefined;
  readonly atSeconds: number;
}

/** An engine that fails a request which it got so long after another one broke it was to blame for that one, too. */
const aftermathSeconds = 0.5;
/** An engine that failed another request so shortly before is to blame for the next failure. */
const failingSeconds = 10;

/** Every so many events, all loads are checked. */
const fullCheckEvery = 256;

const lastWords: ReadonlySet<string> = new Set(['an error', 'a cut', 'the end']);

export class Invariants {
  readonly #retryPolicy: RetryPolicy;
  readonly #queuedRequestsMax: number;
  readonly #clock: Clock;
  /** Failures by router and engine, those of the last seconds. */
  readonly #failures = new Map<FaultyRouter, Map<string, EngineFailure[]>>();
  /** The records of all requests; those that have ended are kept as long as anything can still happen to them. */
  readonly #books = new WeakMap<CheckedRequest, RequestBook>();
  /** Requests that have not ended. */
  readonly #open = new Set<CheckedRequest>();
  readonly #outcomes: Record<AttemptOutcome, number> = { completed: 0, cancelled: 0, failed: 0 };
  /** Number of attempts in flight, by router and engine. */
  readonly #underWay = new Map<FaultyRouter, Map<string, number>>();
  /** Requests that the current event involves. */
  readonly #touched = new Set<CheckedRequest>();
  /** Requests whose second attempt has ended, until that is reported. */
  readonly #endedHedges = new Set<CheckedRequest>();
  readonly #routerHedges = new Map<FaultyRouter, number>();
  readonly #routerRequests = new Map<FaultyRouter, number>();
  #hedges = 0;
  #hedgesWon = 0;
  #reroutes = 0;
  #checks = 0;

  #queued = 0;
  #rejected = 0;

  /** @param queuedRequestsMax Maximum length of a router's admission queue. */
  constructor(retryPolicy: RetryPolicy, queuedRequestsMax: number, clock: Clock) {
    this.#clock = clock;
    this.#retryPolicy = retryPolicy;
    this.#queuedRequestsMax = queuedRequestsMax;
  }

  /** Requests that have waited in a router. */
  get queued(): number {
    return this.#queued;
  }

  /** Requests that were not admitted. */
  get rejected(): number {
    return this.#rejected;
  }

  waits(): void {
    this.#queued++;
  }

  wasRejected(): void {
    this.#rejected++;
  }

  get reroutes(): number {
    return this.#reroutes;
  }

  /** Number of requests by outcome. */
  get outcomes(): Readonly<Record<AttemptOutcome, number>> {
    return this.#outcomes;
  }

  /** The router receives the status of a response. */
  responded(request: CheckedRequest, status: number): void {
    this.#bookOf(request).lastEnd = status;
    if (this.#isBroken(status) && status >= 500) this.#noteLastFailure(request);
  }

  /** The router observes that an attempt failed. */
  failed(request: CheckedRequest, end: AttemptEnd): void {
    this.#bookOf(request).lastEnd = end;
    this.#noteLastFailure(request);
  }

  /** The router observes that the engine of a second attempt failed, or its status. */
  hedgeFailed(request: CheckedRequest, end: AttemptEnd): void {
    const book = this.#bookOf(request);
    book.hedgeEnd = end;
    if (typeof end === 'number' && (end < 500 || !this.#isBroken(end))) return;
    book.hedgeIsExcused = this.#noteFailure(request, book.hedgeUrl);
  }

  /** The request is sent to a second engine. */
  hedged(request: CheckedRequest, url: string): void {
    const book = this.#bookOf(request);
    const who = `${request.name} was hedged at ${url}`;
    must(book.url !== undefined, `${who} without an attempt under way`);
    must(!book.isHedged, `${who} for the second time`);
    must(book.outcome === undefined && !book.hasHead, `${who} after its response had begun`);
    must(!book.tried.has(url), `${who}, which has or had it`);
    must(!request.router.out.has(url), `${who}, which its router knows to be out`);
    const broken = this.#brokenOf(request, book);
    must(
      broken + 2 <= this.#retryPolicy.brokenEnginesMax,
      `${who} after ${broken} engines had broken on it`,
    );
    const { router } = request;
    must(!router.admission?.isStanding, `${who} while requests wait for admission`);
    book.isHedged = true;
    book.hedgeUrl = url;
    book.hedgeSentSeconds = this.#clock.nowSeconds();
    book.hedgeEnd = undefined;
    book.hedgeWasFailing = this.#wasFailing(request, url);
    book.tried.add(url);
    book.met.add(url);
    this.#hedges++;
    this.#count(router, url, 1);
    const hedges = (this.#routerHedges.get(router) ?? 0) + 1;
    this.#routerHedges.set(router, hedges);
    const most = router.hedgeShare * (this.#routerRequests.get(router) ?? 0);
    must(hedges <= most + 1e-6, `${who} as hedge ${hedges} of at most ${most}`);
  }

  /** The second attempt is over, or has become the only one. */
  hedgeEnded(request: CheckedRequest, outcome: HedgeOutcome): void {
    const book = this.#bookOf(request);
    const who = `The hedge of ${request.name} ended as ${outcome}`;
    must(book.hedgeUrl !== undefined, `${who}, and there is none`);
    if (outcome === 'won') {
      must(book.url === undefined, `${who} while the first attempt is under way`);
      book.url = book.hedgeUrl;
      // An engine that was only slower may be tried again.
      if (!this.#mayReroute(book.lastEnd)) book.tried.delete(book.lastUrl);
      if (this.#hasBroken(book.lastEnd) && !book.wasFailing) this.#broke(book);
      book.lastUrl = book.hedgeUrl as string;
      book.sentSeconds = book.hedgeSentSeconds;
      book.failedSeconds = book.hedgeFailedSeconds;
      book.lastEnd = book.hedgeEnd;
      book.wasFailing = book.hedgeWasFailing;
      book.isExcused = book.hedgeIsExcused;
      this.#hedgesWon++;
    } else {
      must(this.#endedHedges.delete(request), `${who} before its attempt`);
      if (outcome === 'lost') book.tried.delete(book.hedgeUrl as string);
      if (outcome === 'failed' && this.#hasBroken(book.hedgeEnd) && !book.hedgeWasFailing) {
        const { hedgeUrl: url = '', hedgeFailedSeconds: atSeconds, hedgeIsExcused } = book;
        book.broken.push({ url, atSeconds, isExcused: hedgeIsExcused });
      }
    }
    book.hedgeUrl = undefined;
  }

  /** Second attempts, and those whose response was used. */
  get hedges(): number {
    return this.#hedges;
  }

  get hedgesWon(): number {
    return this.#hedgesWon;
  }

  /** A router has admitted a request. */
  arrived(router: FaultyRouter): void {
    this.#routerRequests.set(router, (this.#routerRequests.get(router) ?? 0) + 1);
  }

  sent(request: CheckedRequest, url: string): void {
    const book = this.#bookOf(request);
    const { reroutesMax, substitutesMax, brokenEnginesMax } = this.#retryPolicy;
    const { migrationsMax, progressChunks } = this.#retryPolicy;
    const wasSpared = this.#isSpared(book);
    if (book.reads > 0) book.migrations++;
    if (book.reads >= progressChunks) {
      book.tried.clear();
      book.tried.add(book.lastUrl);
      book.attempts = 1;
      book.sends = 1;
      book.broken = [];
    } else if (this.#isBroken(book.lastEnd) && !book.wasFailing) this.#broke(book);
    // All engines were out: those that are back may be tried again.
    if (request.router.emptySeconds >= book.failedSeconds) book.tried.clear();
    book.sentSeconds = this.#clock.nowSeconds();
    book.reads = 0;
    book.met.add(url);
    book.wasFailing = this.#wasFailing(request, url);
    if (wasSpared && book.attempts > 0) book.attempts--;
    const who = `${request.name} was sent to ${url}`;
    const sendsMax = reroutesMax === 0 ? 1 : 1 + reroutesMax + substitutesMax;
    must(book.sends < sendsMax, `${who} as attempt ${book.sends + 1} of ${sendsMax} at most`);
    must(book.url === undefined, `${who} while an attempt at ${book.url} is under way`);
    must(book.hedgeUrl === undefined, `${who} while one at ${book.hedgeUrl} is under way`);
    must(!request.isConnected, `${who} and left a connection open to ${book.lastUrl}`);
    must(book.outcome === undefined, `${who} after its end`);
    must(
      !book.hasHead || request.migrates,
      `${who} after its response had begun, which cannot be continued`,
    );
    must(book.migrations <= migrationsMax, `${who} as migration ${book.migrations}`);
    must(!book.tried.has(url), `${who}, which had failed it`);
    must(!request.router.out.has(url), `${who}, which its router knows to be out`);
    const acquitted = book.broken.length - this.#standing(request, book).length;
    must(
      book.attempts - acquitted <= reroutesMax,
      `${who} as attempt ${book.attempts + 1} of ${reroutesMax + 1}`,
    );
    must(
      book.attempts === 0 || this.#mayReroute(book.lastEnd),
      `${who} after an attempt that ended with ${book.lastEnd}, which is not to be retried`,
    );
    const broken = this.#brokenOf(request, book);
    must(broken < brokenEnginesMax, `${who} after ${broken} engines had broken on it`);
    book.attempts++;
    book.sends++;
    book.lastEnd = undefined;
    book.url = url;
    book.lastUrl = url;
    book.tried.add(url);
    this.#count(request.router, url, 1);
  }

  attemptEnded(request: CheckedRequest, url: string): void {
    const book = this.#bookOf(request);
    const isUnderWay = url === book.url || url === book.hedgeUrl;
    must(isUnderWay, `${request.name} ended an attempt that is not under way`);
    this.#count(request.router, url, -1);
    if (url === book.url) book.url = undefined;
    else this.#endedHedges.add(request);
  }

  /** A router hears from another one that an engine has failed. */
  heardFailure(to: FaultyRouter, from: FaultyRouter, url: string): void {
    const isTrue = this.#failuresOf(from, url).length > 0;
    must(isTrue, `${from.name} tells of a failure at ${url} that it has not seen`);
    const atSeconds = this.#clock.nowSeconds();
    const sentSeconds = Number.NEGATIVE_INFINITY;
    this.#failuresOf(to, url).push({ request: undefined, atSeconds, sentSeconds });
  }

  rerouted(): void {
    this.#reroutes++;
  }

  clientLeft(request: CheckedRequest): void {
    this.#bookOf(request).hasLeft = true;
  }

  /** The client receives something. */
  delivered(
    request: CheckedRequest,
    what: 'head' | 'bytes' | 'an error' | 'a cut' | 'the end',
    token = -1,
  ): void {
    const book = this.#bookOf(request);
    const who = `The client of ${request.name} got ${what}`;
    must(!book.hasLeft, `${who} after it had left`);
    must(!book.hasLastWord, `${who} after its response had ended`);
    const begins = what === 'head' || what === 'an error';
    must(book.hasHead !== begins, `${who} ${begins ? 'after' : 'before'} a head`);
    if (what === 'bytes') book.reads++;
    if (token >= 0) {
      must(token === book.tokens, `${who} of token ${token} after ${book.tokens} tokens`);
      book.tokens++;
    }
    const isCut = what === 'the end' && book.tokens > 0 && book.tokens !== request.responseTokens;
    must(!isCut, `${who} after ${book.tokens} of ${request.responseTokens} tokens`);
    book.hasHead = true;
    book.hasLastWord = lastWords.has(what);
  }

  requestEnded(request: CheckedRequest, outcome: AttemptOutcome): void {
    const book = this.#bookOf(request);
    must(book.outcome === undefined, `${request.name} ended as ${outcome} and as ${book.outcome}`);
    book.outcome = outcome;
    this.#outcomes[outcome]++;
    this.#open.delete(request);
  }

  /**
   * Checks the invariants; call it after each event. Requests and loads that the event did not involve are
   * checked from time to time only.
   */
  check(routers: readonly FaultyRouter[]): void {
    const isFull = this.#checks++ % fullCheckEvery === 0;
    for (const router of routers) router.isTouched ||= isFull;
    for (const request of this.#touched) {
      this.#checkRequest(request);
      request.router.isTouched = true;
    }
    this.#touched.clear();
    for (const router of routers) {
      if (router.isTouched) this.#checkLoads(router);
      router.isTouched = false;
      const queued = router.admission?.queued ?? 0;
      must(
        queued <= this.#queuedRequestsMax,
        `${queued} requests wait in ${router.name}, which may queue ${this.#queuedRequestsMax}`,
      );
    }
  }

  /** Checks that a router that ends has no attempts of its own in flight. */
  checkStopped({ name, core, admission }: FaultyRouter): void {
    must(!admission?.isStanding, `${name} stopped while a request waits in it`);
    for (const { url, ownLoad } of core.liveView()) {
      must(isEmpty(ownLoad), `${name} stopped with ${JSON.stringify(ownLoad)} at ${url}`);
    }
  }

  /** Checks that nothing is left at the end. */
  checkEnd(routers: readonly FaultyRouter[], engines: readonly FaultyEngine[]): void {
    for (const request of this.#open) {
      this.#checkRequest(request);
      must(false, `${request.name} never ended`);
    }
    for (const router of routers) {
      this.#checkLoads(router);
      const { name, core, admission } = router;
      must(!admission?.isStanding, `${name} keeps the place of a request that has ended`);
      for (const { url, load, ownLoad } of core.liveView()) {
        must(isEmpty(load), `${name} counts ${JSON.stringify(load)} at ${url} after all has ended`);
        must(
          isEmpty(ownLoad),
          `${name} counts own ${JSON.stringify(ownLoad)} at ${url} at the end`,
        );
      }
    }
    for (const { url, stats } of engines) {
      const { running, waiting, blocksUsed } = stats;
      must(
        running + waiting + blocksUsed === 0,
        `${url} still works on ${running + waiting} requests that no client waits for`,
      );
    }
  }

  #checkRequest(request: CheckedRequest): void {
    const book = this.#books.get(request) as RequestBook;
    const { url, hedgeUrl, outcome, hasLastWord, hasLeft, hasHead } = book;
    must(hedgeUrl === undefined || url !== undefined, `${request.name} has a hedge alone`);
    must(hedgeUrl === undefined || !hasHead, `${request.name} is hedged and has a response`);
    must(!this.#endedHedges.has(request), `The hedge of ${request.name} ended without a report`);
    must(url !== undefined || !request.isConnected, `${request.name} left a connection open`);
    if (outcome === undefined) {
      must(!hasLastWord && !hasLeft, `${request.name} is over for its client and goes on`);
    } else {
      must(url === undefined, `${request.name} ended with an attempt under way at ${url}`);
      must(hasLastWord || hasLeft, `${request.name} ended without a word to its client`);
      must(hasLeft === (outcome === 'cancelled'), `${request.name} ended as ${outcome}`);
    }
  }

  /** Checks that the routing core counts the attempts in flight: its own and those of updates received. */
  #checkLoads(router: FaultyRouter): void {
    const own = this.#underWay.get(router);
    for (const { url, load, ownLoad } of router.core.liveView()) {
      const underWay = own?.get(url) ?? 0;
      const expected = underWay + (router.peerInflight.get(url) ?? 0);
      if (ownLoad.inflight !== underWay || load.inflight !== expected || !isSound(load)) {
        throw new InvariantViolation(
          `${router.name} counts ${JSON.stringify(load)} at ${url}, ${ownLoad.inflight} of its own; ` +
            `under way are ${expected}, ${underWay} of its own`,
        );
      }
    }
  }

  /** Whether an attempt failed, and the request may be to blame; a status alone is no failure. */
  #hasBroken(end: AttemptEnd | undefined): boolean {
    return this.#mayReroute(end) && this.#isBroken(end);
  }

  /** Whether the request may be to blame for the end of its attempt. */
  #isBroken(end: AttemptEnd | undefined): boolean {
    const { failures, timers, busyStatuses } = this.#retryPolicy;
    if (end === undefined || end === 'total') return false;
    if (typeof end === 'number') return !busyStatuses.has(end);
    if (end === 'engineStall') return false;
    if (end === 'firstByte' || end === 'streamIdle') return timers[end].blamesRequest;
    return failures[end].blamesRequest;
  }

  #noteLastFailure(request: CheckedRequest): void {
    const book = this.#bookOf(request);
    if (book.url !== undefined) book.isExcused = this.#noteFailure(request, book.url);
  }

  /** @returns Whether an engine that the request was never sent to had failed shortly before. */
  #noteFailure(request: CheckedRequest, url = ''): boolean {
    const book = this.#bookOf(request);
    const { met } = book;
    const others = this.#failures.get(request.router)?.keys() ?? [];
    const isExcused = [...others].some(
      (other) => !met.has(other) && this.#failuresOf(request.router, other).length > 0,
    );
    const atSeconds = this.#clock.nowSeconds();
    const isHedge = url === book.hedgeUrl;
    if (isHedge) book.hedgeFailedSeconds = atSeconds;
    else book.failedSeconds = atSeconds;
    const sentSeconds = isHedge ? book.hedgeSentSeconds : book.sentSeconds;
    this.#failuresOf(request.router, url).push({ request, atSeconds, sentSeconds });
    return isExcused;
  }

  #wasFailing(request: CheckedRequest, url: string): boolean {
    return this.#failuresOf(request.router, url).some((failure) => failure.request !== request);
  }

  #broke({ broken, lastUrl: url, failedSeconds: atSeconds, isExcused }: RequestBook): void {
    broken.push({ url, atSeconds, isExcused });
  }

  /** Engines that broke on the request, and that it is charged with. */
  #brokenOf(request: CheckedRequest, book: RequestBook): number {
    return this.#standing(request, book).filter(({ isExcused }) => !isExcused).length;
  }

  /** Engines that broke on the request, without those that have broken on a later one since. */
  #standing({ router }: CheckedRequest, { broken }: RequestBook): readonly BrokenEngine[] {
    return broken.filter(({ url, atSeconds }) =>
      this.#failuresOf(router, url).every(
        ({ sentSeconds }) => sentSeconds < atSeconds + aftermathSeconds,
      ),
    );
  }

  #failuresOf(router: FaultyRouter, url: string): EngineFailure[] {
    const byUrl = this.#failures.get(router) ?? new Map<string, EngineFailure[]>();
    this.#failures.set(router, byUrl);
    const sinceSeconds = this.#clock.nowSeconds() - failingSeconds;
    const recent = (byUrl.get(url) ?? []).filter(({ atSeconds }) => atSeconds >= sinceSeconds);
    byUrl.set(url, recent);
    return recent;
  }

  /**
   * Whether the last attempt may not count as one: its engine was failing others, or refused to continue the response. The
   * engine may have worked since, so that the machine counts some of these.
   */
  #isSpared({ lastEnd, wasFailing, hasHead }: RequestBook): boolean {
    if (lastEnd === 'connect') return true;
    if (this.#isRefused(lastEnd)) return hasHead;
    return wasFailing && this.#hasBroken(lastEnd);
  }

  /** Whether an engine did not accept the request. */
  #isRefused(end: AttemptEnd | undefined): boolean {
    return (
      end === 'connect' || (typeof end === 'number' && this.#retryPolicy.busyStatuses.has(end))
    );
  }

  #mayReroute(end: AttemptEnd | undefined): boolean {
    const { failures, timers, reroutedStatuses } = this.#retryPolicy;
    if (end === undefined || end === 'total') return false;
    if (typeof end === 'number') return reroutedStatuses.has(end);
    if (end === 'engineStall') return true;
    if (end === 'firstByte' || end === 'streamIdle') return timers[end].reroutes;
    return failures[end].reroutes;
  }

  #bookOf(request: CheckedRequest): RequestBook {
    this.#touched.add(request);
    let book = this.#books.get(request);
    if (book === undefined) {
      book = {
        ...{ attempts: 0, url: undefined, lastUrl: '', tried: new Set(), lastEnd: undefined },
        ...{ sentSeconds: 0, hedgeSentSeconds: 0, failedSeconds: 0, hedgeFailedSeconds: 0 },
        ...{ broken: [], wasFailing: false, isExcused: false, met: new Set() },
        ...{ hedgeUrl: undefined, isHedged: false, hedgeEnd: undefined },
        ...{ hedgeWasFailing: false, hedgeIsExcused: false },
        ...{ reads: 0, migrations: 0, sends: 0, tokens: 0 },
        ...{ hasHead: false, hasLastWord: false, hasLeft: false, outcome: undefined },
      };
      this.#books.set(request, book);
      this.#open.add(request);
    }
    return book;
  }

  #count(router: FaultyRouter, url: string, change: number): void {
    const counts = this.#underWay.get(router) ?? new Map<string, number>();
    this.#underWay.set(router, counts.set(url, (counts.get(url) ?? 0) + change));
  }
}

function must(holds: boolean, message: string): void {
  if (!holds) throw new InvariantViolation(message);
}

function isEmpty({ inflight, prefilling, prefillTokens, decodeTokens }: EndpointLoad): boolean {
  return inflight === 0 && prefilling === 0 && prefillTokens === 0 && decodeTokens === 0;
}

function isSound({ inflight, prefilling, prefillTokens, decodeTokens }: EndpointLoad): boolean {
  return prefilling >= 0 && prefilling <= inflight && prefillTokens >= 0 && decodeTokens >= 0;
}

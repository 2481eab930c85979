// The invariants of every fault run, checked after each event. Keeps independent records of what the drivers
// do, and compares.
import type { AttemptOutcome, HedgeOutcome, RetryPolicy } from '../attempts/index.ts';
import type { Clock } from '../base/index.ts';
import { type AttemptEnd, AttemptEnds } from './attempt-ends.ts';
import { AttemptsUnderWay } from './attempts-under-way.ts';
import { EngineFailures } from './engine-failures.ts';
import type { FaultyEngine } from './faulty-engine.ts';
import type { FaultyRouter } from './faulty-router.ts';
import {
  type BrokenEngine,
  type CheckedRequest,
  newRequestBook,
  type RequestBook,
} from './request-book.ts';
import { must } from './violation.ts';

/** An engine that fails a request which it got so long after another one broke it was to blame for that one, too. */
const aftermathSeconds = 0.5;
/** Every so many events, all loads are checked. */
const fullCheckEvery = 256;

const lastWords: ReadonlySet<string> = new Set(['an error', 'a cut', 'the end']);

export class Invariants {
  readonly #retryPolicy: RetryPolicy;
  readonly #queuedRequestsMax: number;
  readonly #clock: Clock;
  readonly #ends: AttemptEnds;
  readonly #failures: EngineFailures;
  /** The records of all requests; those that have ended are kept as long as anything can still happen to them. */
  readonly #books = new WeakMap<CheckedRequest, RequestBook>();
  /** Requests that have not ended. */
  readonly #open = new Set<CheckedRequest>();
  readonly #outcomes: Record<AttemptOutcome, number> = { completed: 0, cancelled: 0, failed: 0 };
  readonly #underWay = new AttemptsUnderWay();
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
    this.#failures = new EngineFailures(clock);
    this.#ends = new AttemptEnds(retryPolicy);
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
    if (this.#ends.isBroken(status) && status >= 500) this.#noteLastFailure(request);
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
    if (typeof end === 'number' && (end < 500 || !this.#ends.isBroken(end))) return;
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
    book.hedgeWasFailing = this.#failures.hasFailedOther(request, url);
    book.tried.add(url);
    book.met.add(url);
    this.#hedges++;
    this.#underWay.count(router, url, 1);
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
      if (!this.#ends.mayReroute(book.lastEnd)) book.tried.delete(book.lastUrl);
      if (this.#ends.hasBroken(book.lastEnd) && !book.wasFailing) this.#broke(book);
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
      if (outcome === 'failed' && this.#ends.hasBroken(book.hedgeEnd) && !book.hedgeWasFailing) {
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
    } else if (this.#ends.isBroken(book.lastEnd) && !book.wasFailing) this.#broke(book);
    // All engines were out: those that are back may be tried again.
    if (request.router.emptySeconds >= book.failedSeconds) book.tried.clear();
    book.sentSeconds = this.#clock.nowSeconds();
    book.reads = 0;
    book.met.add(url);
    book.wasFailing = this.#failures.hasFailedOther(request, url);
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
      book.attempts === 0 || this.#ends.mayReroute(book.lastEnd),
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
    this.#underWay.count(request.router, url, 1);
  }

  attemptEnded(request: CheckedRequest, url: string): void {
    const book = this.#bookOf(request);
    const isUnderWay = url === book.url || url === book.hedgeUrl;
    must(isUnderWay, `${request.name} ended an attempt that is not under way`);
    this.#underWay.count(request.router, url, -1);
    if (url === book.url) book.url = undefined;
    else this.#endedHedges.add(request);
  }

  /** A router hears from another one that an engine has failed. */
  heardFailure(to: FaultyRouter, from: FaultyRouter, url: string): void {
    this.#failures.heard(to, from, url);
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
      if (router.isTouched) this.#underWay.check(router);
      router.isTouched = false;
      const queued = router.admission?.queued ?? 0;
      must(
        queued <= this.#queuedRequestsMax,
        `${queued} requests wait in ${router.name}, which may queue ${this.#queuedRequestsMax}`,
      );
    }
  }

  /** Checks that a router that ends has no attempts of its own in flight. */
  checkStopped(router: FaultyRouter): void {
    this.#underWay.checkStopped(router);
  }

  /** Checks that nothing is left at the end. */
  checkEnd(routers: readonly FaultyRouter[], engines: readonly FaultyEngine[]): void {
    for (const request of this.#open) {
      this.#checkRequest(request);
      must(false, `${request.name} never ended`);
    }
    for (const router of routers) this.#underWay.checkEnd(router);
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

  #noteLastFailure(request: CheckedRequest): void {
    const book = this.#bookOf(request);
    if (book.url !== undefined) book.isExcused = this.#noteFailure(request, book.url);
  }

  /** @returns Whether an engine that the request was never sent to had failed shortly before. */
  #noteFailure(request: CheckedRequest, url = ''): boolean {
    const book = this.#bookOf(request);
    const atSeconds = this.#clock.nowSeconds();
    const isHedge = url === book.hedgeUrl;
    if (isHedge) book.hedgeFailedSeconds = atSeconds;
    else book.failedSeconds = atSeconds;
    const sentSeconds = isHedge ? book.hedgeSentSeconds : book.sentSeconds;
    return this.#failures.note(request, url, { met: book.met, atSeconds: sentSeconds });
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
    return broken.filter(
      ({ url, atSeconds }) =>
        !this.#failures.hasFailedSentSince(router, url, atSeconds + aftermathSeconds),
    );
  }

  /**
   * Whether the last attempt may not count as one: its engine was failing others, or refused to continue the response. The
   * engine may have worked since, so that the machine counts some of these. A response that stops with all others of its
   * engine ends as one that stops alone.
   */
  #isSpared({ lastEnd, wasFailing, hasHead }: RequestBook): boolean {
    if (lastEnd === 'connect') return true;
    if (this.#ends.isRefused(lastEnd)) return hasHead;
    const end = hasHead && lastEnd === 'engineStall' ? 'streamIdle' : lastEnd;
    return wasFailing && this.#ends.hasBroken(end);
  }

  #bookOf(request: CheckedRequest): RequestBook {
    this.#touched.add(request);
    let book = this.#books.get(request);
    if (book === undefined) {
      book = newRequestBook();
      this.#books.set(request, book);
      this.#open.add(request);
    }
    return book;
  }
}

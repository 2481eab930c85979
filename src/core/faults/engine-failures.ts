// Which engines have failed which requests lately, as each router observed it or heard from another one.
import type { Clock } from '../base/index.ts';
import type { FaultyRouter } from './faulty-router.ts';
import type { CheckedRequest } from './request-book.ts';
import { must } from './violation.ts';

/** A failure of an engine, as a router observed it. */
interface EngineFailure {
  /** Undefined for one of another router. */
  readonly request: CheckedRequest | undefined;
  /** When the request was sent; -∞ if that is unknown. */
  readonly sentSeconds: number;
  readonly atSeconds: number;
}

/** An engine that failed another request so shortly before is to blame for the next failure. */
const failingSeconds = 10;

export class EngineFailures {
  readonly #clock: Clock;
  /** By router and engine, those of the last seconds. */
  readonly #failures = new Map<FaultyRouter, Map<string, EngineFailure[]>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * An engine has failed a request.
   *
   * @param sent `met`: the engines that the request was sent to. `atSeconds`: when it was sent to this one.
   * @returns Whether one that it was never sent to had failed shortly before.
   */
  note(
    request: CheckedRequest,
    url: string,
    sent: { readonly met: ReadonlySet<string>; readonly atSeconds: number },
  ): boolean {
    const others = this.#failures.get(request.router)?.keys() ?? [];
    const isExcused = [...others].some(
      (other) => !sent.met.has(other) && this.#of(request.router, other).length > 0,
    );
    const atSeconds = this.#clock.nowSeconds();
    this.#of(request.router, url).push({ request, sentSeconds: sent.atSeconds, atSeconds });
    return isExcused;
  }

  /** A router hears from another one that an engine has failed. */
  heard(to: FaultyRouter, from: FaultyRouter, url: string): void {
    const isTrue = this.#of(from, url).length > 0;
    must(isTrue, `${from.name} tells of a failure at ${url} that it has not seen`);
    const sentSeconds = Number.NEGATIVE_INFINITY;
    const atSeconds = this.#clock.nowSeconds();
    this.#of(to, url).push({ request: undefined, sentSeconds, atSeconds });
  }

  /** Whether the engine has failed another request. */
  hasFailedOther(request: CheckedRequest, url: string): boolean {
    return this.#of(request.router, url).some((failure) => failure.request !== request);
  }

  /** Whether the engine has failed a request that was sent then or later. */
  hasFailedSentSince(router: FaultyRouter, url: string, seconds: number): boolean {
    return this.#of(router, url).some(({ sentSeconds }) => sentSeconds >= seconds);
  }

  #of(router: FaultyRouter, url: string): EngineFailure[] {
    const byUrl = this.#failures.get(router) ?? new Map<string, EngineFailure[]>();
    this.#failures.set(router, byUrl);
    const sinceSeconds = this.#clock.nowSeconds() - failingSeconds;
    const recent = (byUrl.get(url) ?? []).filter(({ atSeconds }) => atSeconds >= sinceSeconds);
    byUrl.set(url, recent);
    return recent;
  }
}

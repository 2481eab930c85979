// The attempts that each router has in flight, and whether its routing core counts the same.
import type { EndpointLoad } from '../routing/index.ts';
import type { FaultyRouter } from './faulty-router.ts';
import { InvariantViolation, must } from './violation.ts';

export class AttemptsUnderWay {
  /** Number of attempts, by router and engine. */
  readonly #counts = new Map<FaultyRouter, Map<string, number>>();

  /** An attempt begins (1) or ends (-1). */
  count(router: FaultyRouter, url: string, change: 1 | -1): void {
    const counts = this.#counts.get(router) ?? new Map<string, number>();
    this.#counts.set(router, counts.set(url, (counts.get(url) ?? 0) + change));
  }

  /** Checks that the routing core counts the attempts in flight: its own and those of updates received. */
  check(router: FaultyRouter): void {
    const own = this.#counts.get(router);
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

  /** Checks that a router that ends has no attempts of its own in flight. */
  checkStopped({ name, core, admission }: FaultyRouter): void {
    must(!admission?.isStanding, `${name} stopped while a request waits in it`);
    for (const { url, ownLoad } of core.liveView()) {
      must(isEmpty(ownLoad), `${name} stopped with ${JSON.stringify(ownLoad)} at ${url}`);
    }
  }

  /** Checks that a router counts nothing after all has ended. */
  checkEnd(router: FaultyRouter): void {
    this.check(router);
    const { name, core, admission } = router;
    must(!admission?.isStanding, `${name} keeps the place of a request that has ended`);
    for (const { url, load, ownLoad } of core.liveView()) {
      must(isEmpty(load), `${name} counts ${JSON.stringify(load)} at ${url} after all has ended`);
      must(isEmpty(ownLoad), `${name} counts own ${JSON.stringify(ownLoad)} at ${url} at the end`);
    }
  }
}

function isEmpty({ inflight, prefilling, prefillTokens, decodeTokens }: EndpointLoad): boolean {
  return inflight === 0 && prefilling === 0 && prefillTokens === 0 && decodeTokens === 0;
}

function isSound({ inflight, prefilling, prefillTokens, decodeTokens }: EndpointLoad): boolean {
  return prefilling >= 0 && prefilling <= inflight && prefillTokens >= 0 && decodeTokens >= 0;
}

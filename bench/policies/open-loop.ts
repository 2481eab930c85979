// Turns conversations into a trace: each client continues as if its response had come at an
// ordinary pace. So every policy gets the same requests at the same times, and a clairvoyant policy
// can know the future.
import { MinHeap } from '../../src/core/base/index.ts';
import type { SimulatedRequest } from '../../src/core/simulation/index.ts';
import type { RequestSource } from '../../src/core/traces/index.ts';

/** An unloaded H100 with an 8B model: times of `fleetOf` for these lengths, rounded up. */
const firstTokenSeconds = 0.3;
const laterTokenSeconds = 0.015;

/** Returns all requests of the source, in order of arrival. */
export function openLoop(source: RequestSource): SimulatedRequest[] {
  const requests: SimulatedRequest[] = [];
  const answers = new MinHeap<number>();
  for (;;) {
    const [next, answer] = [source.nextSeconds, answers.leastRank];
    if (answer <= next && answer !== Number.POSITIVE_INFINITY) {
      source.answered(answers.take() as number, answer);
    } else if (next === Number.POSITIVE_INFINITY) return requests;
    else {
      const request = source.take();
      const seconds = firstTokenSeconds + request.outputTokens * laterTokenSeconds;
      answers.add(request.arrivalSeconds + seconds, requests.length);
      requests.push(request);
    }
  }
}

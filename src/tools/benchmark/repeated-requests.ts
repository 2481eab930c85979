// Requests without an end: the prompts of a dataset again and again, each lap with words and arrivals of its own.
import { type Part, partOf, whole } from './clients/part.ts';
import type { LoadSource, Traffic } from './load-source.ts';
import { listedRequests } from './load-source.ts';

/** The traffic of a lap, numbered from 0; its arrivals begin at 0. */
export type LapTraffic = (lap: number) => Traffic;

/**
 * Returns laps one after another, for as long as a run goes on; only the current lap is in memory.
 *
 * @param lapTraffic Each lap must have a request.
 * @param part The part of each lap that is sent.
 */
export function repeatedRequests(lapTraffic: LapTraffic, part: Part = whole): LoadSource {
  const listed = ({ requests, writer }: Traffic) =>
    listedRequests({ requests: partOf(requests, part), writer });
  let lap = 0;
  let startSeconds = 0;
  let traffic = lapTraffic(0);
  let current = listed(traffic);
  const next = () => {
    startSeconds += traffic.requests.at(-1)?.arrivalSeconds ?? 0;
    traffic = lapTraffic(++lap);
    current = listed(traffic);
  };
  return {
    get writer() {
      return traffic.writer;
    },
    requests: undefined,
    count: undefined,
    needsTexts: false,
    get nextSeconds() {
      if (current.nextSeconds === Number.POSITIVE_INFINITY) next();
      return startSeconds + current.nextSeconds;
    },
    prepare: () => current.prepare(),
    take() {
      const { request, body } = current.take();
      return {
        request: { ...request, arrivalSeconds: startSeconds + request.arrivalSeconds },
        body,
      };
    },
    ended: () => {},
  };
}

// The part of a run in which the server is in a steady state.
import { steadyFrom } from '../../core/capacity/index.ts';
import { latenciesOf, type RequestRecord } from '../../core/stats/index.ts';

/** Complete responses that an answer needs. */
const responsesMin = 50;

/** Whether there are enough responses to look for a steady state. */
export function isLongEnough(records: readonly RequestRecord[]): boolean {
  return completeOf(records).length >= responsesMin;
}

/**
 * Returns when the steady state begins, by the time to first token of responses in order of sending.
 *
 * @returns Seconds of the run; undefined without a steady state.
 */
export function steadyFromSeconds(records: readonly RequestRecord[]): number | undefined {
  const complete = completeOf(records);
  const first = steadyFrom(complete.map((record) => latenciesOf(record).ttftSeconds));
  return first === undefined ? undefined : complete[first]?.sentSeconds;
}

function completeOf(records: readonly RequestRecord[]): RequestRecord[] {
  return records
    .filter(({ error }) => error === undefined)
    .sort((a, b) => a.sentSeconds - b.sentSeconds);
}

// Whether a fleet keeps up with its traffic: in one that does not, the queue grows for as long as
// requests arrive, and every latency hangs on how long one looks.

/**
 * Share of the arrived requests by which the queue grew: the least-squares slope of the queue over
 * the arrivals, times their span, by their number. 0 where it stays level.
 *
 * @param waitingAtArrival Requests without a first token as each request arrived, in order.
 * @param arrivalSeconds Aligned with it.
 */
export function backlogGrowth(
  waitingAtArrival: ArrayLike<number>,
  arrivalSeconds: ArrayLike<number>,
): number {
  const count = waitingAtArrival.length;
  const total = (values: ArrayLike<number>) =>
    Float64Array.from(values).reduce((sum, value) => sum + value, 0);
  const [meanTime, meanWaiting] = [total(arrivalSeconds) / count, total(waitingAtArrival) / count];
  let [covariance, variance] = [0, 0];
  for (let i = 0; i < count; i++) {
    const time = (arrivalSeconds[i] as number) - meanTime;
    covariance += time * ((waitingAtArrival[i] as number) - meanWaiting);
    variance += time * time;
  }
  if (variance === 0) return 0;
  const span = (arrivalSeconds[count - 1] as number) - (arrivalSeconds[0] as number);
  return ((covariance / variance) * span) / count;
}

/** Growth from which on a fleet counts as overloaded: it falls behind by one request in fifty. */
export const overloadedGrowth = 0.02;

// Whether a fleet keeps up with its traffic: if it does not, the queue grows for as long as requests
// arrive, and every latency depends on the length of the run.

/**
 * Queue growth as a share of the arrived requests: the least-squares slope of the queue over the
 * arrivals, times their span, divided by their number. 0 where it stays level.
 *
 * @param waitingAtArrival Number of requests without a first token at each arrival, in order.
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

/** Growth above which a fleet counts as overloaded: it falls behind by one request in fifty. */
export const overloadedGrowth = 0.02;

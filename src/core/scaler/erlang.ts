// Waiting in front of n equal servers with one queue (M/M/n), which a router that knows its engines' queues comes close
// to. The load is in erlangs: arrivals/s × seconds of work per request.

/**
 * Returns the fewest servers with which the wait is longer than `waitSeconds` for at most `share` of the arrivals.
 *
 * @param serviceSeconds Mean time of work per request.
 * @param serversMax The result if that many are too few.
 */
export function serversFor(
  load: number,
  serviceSeconds: number,
  { waitSeconds, share }: { readonly waitSeconds: number; readonly share: number },
  serversMax: number,
): number {
  for (let servers = Math.max(1, Math.ceil(load)); servers < serversMax; servers++) {
    if (servers <= load) continue;
    const decay = Math.exp((-(servers - load) * waitSeconds) / serviceSeconds);
    if (waitProbability(servers, load) * decay <= share) return servers;
  }
  return serversMax;
}

/**
 * Returns the probability that an arrival has to wait (Erlang C).
 *
 * @param load 0 ≤ load < servers.
 * @see https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_C_formula
 */
export function waitProbability(servers: number, load: number): number {
  // Erlang B by its recurrence, which stays between 0 and 1.
  let blocked = 1;
  for (let n = 1; n <= servers; n++) blocked = (load * blocked) / (n + load * blocked);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

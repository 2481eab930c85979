// Requests that wait at a full group of GPUs while another group has places: vLLM's front end assigns requests to groups with
// data-parallel attention by counts that are up to 100 ms old.
// https://github.com/vllm-project/vllm/blob/v0.12.0/vllm/v1/engine/core_client.py (DPLBAsyncMPClient)

/**
 * Share of the clients that wait for a place in their group if each is assigned to a group at random: the most that
 * stale counts can cost, as perfect ones cost nothing.
 *
 * @param clients Clients of all groups together.
 * @param places Requests that one group runs at a time.
 * @returns In [0, 1). A share s of clients that wait takes s of the mean response time before the first token.
 */
export function waitingShareAtRandom(clients: number, groups: number, places: number): number {
  if (groups <= 1 || clients <= places) return 0;
  // The clients of one group are binomial: the logarithm of each probability follows from the one before.
  const p = 1 / groups;
  let logProbability = clients * Math.log(1 - p);
  let excess = 0;
  for (let n = 0; n <= clients; n++) {
    if (n > places) excess += (n - places) * Math.exp(logProbability);
    logProbability += Math.log((clients - n) / (n + 1)) + Math.log(p / (1 - p));
  }
  return (excess * groups) / clients;
}

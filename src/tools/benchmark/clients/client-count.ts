// How many processes a load needs.
import { InputError } from '../../../core/base/index.ts';
import { isConversational, type ServeTraffic } from '../serve-traffic.ts';

/**
 * Chunks per second that one process is given. A core reads about 60,000 (docs/results/clients.md); at a quarter of that a
 * process is hardly ever late.
 */
const chunksPerSecondMax = 15_000;

/** Tokens of an answer in ShareGPT, about. */
const shareGptTokens = 250;

/**
 * Returns the number of client processes.
 *
 * @param wanted `auto`: as many as the rate needs, if it is known before the run.
 * @param users Closed loop: requests under way at once.
 * @throws {InputError} If more than one is wanted for requests that wait for each other's responses.
 */
export function clientCount(
  wanted: number | 'auto',
  traffic: ServeTraffic,
  { users, cores }: { readonly users: number | undefined; readonly cores: number },
): number {
  if (isConversational(traffic)) {
    if (wanted === 'auto' || wanted === 1) return 1;
    throw new InputError(
      `--clients ${wanted}: the requests of --dataset-name ${traffic.dataset} wait for each other's responses, so one process sends them.`,
    );
  }
  if (wanted !== 'auto') return Math.min(wanted, users ?? wanted);
  const chunks = users === undefined ? chunksPerSecond(traffic) : undefined;
  if (chunks === undefined) return 1;
  return Math.max(1, Math.min(Math.ceil(chunks / chunksPerSecondMax), cores));
}

/** Chunks per wall-clock second, if each has one token; undefined if they are not known before the run. */
function chunksPerSecond(traffic: ServeTraffic): number | undefined {
  const { rate, rampUp } = traffic.rate;
  const highest = rampUp === undefined ? rate : Math.max(rampUp.startRate, rampUp.endRate);
  const tokens = outputTokens(traffic);
  if (!Number.isFinite(highest) || tokens === undefined) return undefined;
  return highest * traffic.timeScale * tokens;
}

function outputTokens(traffic: ServeTraffic): number | undefined {
  if (traffic.api === 'embeddings') return 1;
  switch (traffic.dataset) {
    case 'random':
      return traffic.random.outputTokens;
    case 'prefix_repetition':
      return traffic.prefixRepetition.outputTokens;
    case 'sharegpt':
      return typeof traffic.textOutputTokens === 'number'
        ? traffic.textOutputTokens
        : shareGptTokens;
    default:
      return undefined;
  }
}

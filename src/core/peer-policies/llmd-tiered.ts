// The scorers of llm-d's tiered-prefix-cache guide, in the version that its experiment used.
// Source: gateway-api-inference-extension v1.2.0-rc.1, pkg/epp/scheduling/framework/plugins:
// scorer/queue.go, scorer/kvcache_utilization.go, multi/prefix/plugin.go, picker/max_score_picker.go;
// weights of config/charts/inferencepool/templates/epp-config.yaml there, and of llm-d/llm-d#457.
import { LruMap, type Random } from '../base/index.ts';
import {
  definePolicy,
  type Endpoint,
  type Pick,
  type Policy,
  type RoutingRequest,
} from '../routing/index.ts';
import { indexOfHighest } from './choose.ts';
import { llmdScrapeSeconds, queueScores } from './llmd-weighted.ts';
import { promptBlocks } from './prefix-memory.ts';

export const llmdTiered = definePolicy({
  name: 'llm-d',
  summary: 'llm-d: the scorers of its tiered-prefix-cache guide, on the first 16 KiB of a prompt',
  parameters: {
    hbmBlocks: {
      type: 'integer',
      unit: 'blocks',
      min: 1,
      default: 31_250,
      help: 'KV blocks of an engine in HBM; the default is that of the prefix plugin; plans compute it for their engines',
    },
    hostBlocks: {
      type: 'integer',
      unit: 'blocks',
      min: 1,
      help: 'KV blocks of an engine in host memory, if KV is offloaded',
    },
  },
  consumes: {
    prompts: 'required',
    engineReports: { need: 'required', everySeconds: llmdScrapeSeconds },
  },
  create: ({ random, parameters }) => new LlmdTieredPolicy({ random, ...parameters }),
});

interface LlmdTieredOptions {
  readonly random: Random;
  /** KV blocks in HBM and, where KV is offloaded, in host memory, of one engine. */
  readonly hbmBlocks: number;
  readonly hostBlocks?: number | undefined;
}

interface TieredPick extends Pick {
  readonly hashes: Float64Array;
}

/** The prefix scorer hashes the text of a prompt in blocks of 64 bytes, 256 at most. */
const [hashBytes, hashesOfPromptMax] = [64, 256];
/** Hashes are remembered in groups of this size, for speed: a match may be short by seven of them. */
const hashesPerEntry = 8;
const weights = { queue: 2, kvUsage: 2 };
/** Weights of the prefix scorers: for HBM alone, and where there is a second one for host memory. */
const prefixWeights = { alone: 3, besideHost: 1, host: 1 };

/**
 * Each score is in [0, 1]; the engine with the largest weighted sum gets the request. A prefix scorer
 * remembers as many hashes as an engine has KV blocks. It covers only the first 16 KiB of a prompt, 256
 * hashes, whatever its length, so it assumes that an engine holds many more long prompts than it does.
 */
export class LlmdTieredPolicy implements Policy {
  readonly name = 'llm-d';
  readonly needsTokens = false;
  readonly #random: Random;
  readonly #scorers: readonly { readonly weight: number; readonly entriesMax: number }[];
  readonly #believed = new Map<string, readonly LruMap<number, true>[]>();

  constructor({ random, hbmBlocks, hostBlocks }: LlmdTieredOptions) {
    this.#random = random;
    const scorer = (weight: number, hashesMax: number) => {
      return { weight, entriesMax: Math.max(1, Math.floor(hashesMax / hashesPerEntry)) };
    };
    this.#scorers =
      hostBlocks === undefined
        ? [scorer(prefixWeights.alone, hbmBlocks)]
        : [scorer(prefixWeights.besideHost, hbmBlocks), scorer(prefixWeights.host, hostBlocks)];
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[]): TieredPick {
    const { hashes: all, blockTokens } = promptBlocks(request, hashBytes);
    // A hash identifies the whole prompt up to it.
    const hashes = all
      .subarray(0, hashesOfPromptMax)
      .filter((_, i) => i % hashesPerEntry === hashesPerEntry - 1);
    const queue = queueScores(endpoints);
    const scores = endpoints.map(({ url, reported }, i) => {
      const held = this.#heldBy(url);
      const prefix = this.#scorers.reduce((sum, { weight }, scorer) => {
        const matched = matchedOf(held[scorer] as LruMap<number, true>, hashes);
        return sum + (hashes.length === 0 ? 0 : (weight * matched) / hashes.length);
      }, 0);
      const free = 1 - (reported?.kvUsage ?? 0);
      return weights.queue * (queue[i] as number) + weights.kvUsage * free + prefix;
    });
    const best = indexOfHighest(scores, this.#random);
    const endpoint = endpoints[best] as Endpoint;
    const matched = Math.max(...this.#heldBy(endpoint.url).map((held) => matchedOf(held, hashes)));
    return {
      endpoint,
      reason: `highest weighted score: ${(scores[best] as number).toFixed(3)}`,
      // The scorer has no information about the prompt after the hashed beginning.
      cachedTokens: Math.max(
        0,
        Math.min(Math.floor(matched * hashesPerEntry * blockTokens), request.promptTokens - 1),
      ),
      ...{ scores, hashes },
    };
  }

  onSent(_request: RoutingRequest, { endpoint, hashes }: TieredPick): void {
    for (const held of this.#heldBy(endpoint.url)) for (const hash of hashes) held.set(hash, true);
  }

  onEndpointReset({ url }: Endpoint): void {
    this.#believed.delete(url);
  }

  #heldBy(url: string): readonly LruMap<number, true>[] {
    const known = this.#believed.get(url);
    if (known) return known;
    const made = this.#scorers.map(({ entriesMax }) => new LruMap<number, true>({ entriesMax }));
    this.#believed.set(url, made);
    return made;
  }
}

function matchedOf(held: LruMap<number, true>, hashes: Float64Array): number {
  const miss = hashes.findIndex((hash) => !held.has(hash));
  return miss === -1 ? hashes.length : miss;
}

// `spillway compare`: two servers get the same load in turns, A B B A A B …, and are judged by pairs of blocks.
import { InputError, seededRandom } from '../../core/base/index.ts';
import {
  type BlockPair,
  blockOf,
  type Comparison,
  type ComparisonLimits,
  compareBlocks,
  comparedLatenciesOf,
} from '../../core/comparison/index.ts';
import { type SendRate, sendTimes } from '../../core/workload/index.ts';
import {
  type LoadContext,
  type LoadOptions,
  type LoadOutcome,
  listedRequests,
  runLoad,
  type Traffic,
} from '../benchmark/index.ts';

export type Side = 'a' | 'b';

/** A load for two servers, and what counts as a difference. */
export interface CompareOptions {
  /** How each server is measured; `warmupRequests` are sent before its first block only. */
  readonly a: LoadOptions;
  readonly b: LoadOptions;
  readonly rate: SendRate;
  /** Requests that each server gets in all. */
  readonly requests: number;
  readonly pairs: number;
  readonly seed: number;
  readonly limits: ComparisonLimits;
}

/** Progress of a comparison. */
export interface CompareProgress {
  /** Blocks that are complete, of both servers. */
  readonly blocks: number;
  readonly blocksTotal: number;
}

export interface CompareOutcome {
  readonly comparison: Comparison;
  /** Names of the models that responded. */
  readonly models: Readonly<Record<Side, string>>;
  /** Requests of each block. */
  readonly blockRequests: number;
  readonly seconds: number;
  /** Whether it was stopped, or a server went away, before all blocks were sent. */
  readonly isPartial: boolean;
  /** The server that refused too many connections in a row. */
  readonly gone: Side | undefined;
}

/**
 * Compares two servers.
 *
 * @param trafficFor All requests of one side, for its model; both sides must get equally long requests.
 * @throws {InputError} If there are too few requests for the blocks, or a server lacks the model.
 * @throws {NoResponseError} If one cannot be reached.
 */
export async function runCompare(
  options: CompareOptions,
  trafficFor: (side: Side, model: string) => Promise<Traffic>,
  context: Pick<LoadContext, 'clock' | 'signal'> & {
    readonly onProgress?: (progress: CompareProgress) => void;
  },
): Promise<CompareOutcome> {
  const { pairs: pairCount, requests, limits, seed } = options;
  const { clock, signal } = context;
  const blockRequests = Math.floor(requests / pairCount);
  if (blockRequests < 1) {
    throw new InputError(
      `${requests} requests are too few for ${pairCount} blocks: give at least one request per block.`,
    );
  }
  const startSeconds = clock.nowSeconds();
  const sides = {
    a: new MeasuredSide(options, 'a', blockRequests, trafficFor),
    b: new MeasuredSide(options, 'b', blockRequests, trafficFor),
  };
  const pairs: BlockPair[] = [];
  let gone: Side | undefined;
  while (pairs.length < pairCount && gone === undefined) {
    const index = pairs.length;
    const records: Partial<Record<Side, LoadOutcome['records']>> = {};
    const order: readonly Side[] = index % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
    for (const [half, side] of order.entries()) {
      const outcome = await sides[side].block(index, { clock, signal });
      if (outcome.isServerGone) gone = side;
      records[side] = outcome.records;
      context.onProgress?.({ blocks: 2 * index + half + 1, blocksTotal: 2 * pairCount });
      if (signal.aborted) break;
    }
    // A block that was cut off by a signal says nothing about its server.
    if (signal.aborted) break;
    const blockFor = (side: Side) =>
      blockOf((records[side] ?? []).map(comparedLatenciesOf), blockRequests);
    pairs.push({ a: blockFor('a'), b: blockFor('b') });
  }
  return {
    comparison: compareBlocks(pairs, limits, seededRandom(seed)),
    models: { a: sides.a.model, b: sides.b.model },
    blockRequests,
    seconds: clock.nowSeconds() - startSeconds,
    isPartial: pairs.length < pairCount,
    gone,
  };
}

/** One server with its requests, which its blocks take in order. */
class MeasuredSide {
  model = '';
  readonly #options: CompareOptions;
  readonly #side: Side;
  readonly #blockRequests: number;
  readonly #trafficFor: (side: Side, model: string) => Promise<Traffic>;
  #traffic: Traffic | undefined;

  constructor(
    options: CompareOptions,
    side: Side,
    blockRequests: number,
    trafficFor: (side: Side, model: string) => Promise<Traffic>,
  ) {
    this.#options = options;
    this.#side = side;
    this.#blockRequests = blockRequests;
    this.#trafficFor = trafficFor;
  }

  /** Sends a block; blocks of the same index have the same arrivals on both sides. */
  block(index: number, context: Pick<LoadContext, 'clock' | 'signal'>): Promise<LoadOutcome> {
    const { rate, seed } = this.#options;
    const load = this.#options[this.#side];
    const options = this.#traffic === undefined ? load : { ...load, warmupRequests: 0 };
    const trafficOf = async (model: { readonly id: string }) => {
      this.model = model.id;
      this.#traffic ??= await this.#trafficFor(this.#side, model.id);
      const { requests, writer } = this.#traffic;
      const times = sendTimes(rate, this.#blockRequests, seededRandom(seed + index));
      const from = index * this.#blockRequests;
      const timed = requests.slice(from, from + this.#blockRequests).map((request, i) => ({
        ...request,
        arrivalSeconds: (times[i] as number) / load.timeScale,
      }));
      return listedRequests({ requests: timed, writer });
    };
    return runLoad(options, trafficOf, context);
  }
}

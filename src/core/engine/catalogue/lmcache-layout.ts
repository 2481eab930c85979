// LMCache's settings for an engine of the catalogue.
import { InputError } from '../../base/index.ts';
import type { LmcacheConfig } from '../tiers/lmcache.ts';
import type { TransferLinkOptions } from '../tiers/transfer-link.ts';
import { hostLink } from './host-links.ts';
import type { LayoutOptions } from './memory.ts';
import { kvBytesPerTokenPerGpu } from './model-spec.ts';
import { typicalStepSeconds } from './tier-costs.ts';

export interface LmcacheSettings {
  /** Host memory of one engine, summed over its GPUs: `max_local_cpu_size`. */
  readonly hostBytes: number;
  /** Tokens per block of the engine. */
  readonly blockSize: number;
  /** @default 256, LMCache's `chunk_size` */
  readonly chunkTokens?: number;
  /** Overrides the GPU's own link. */
  readonly link?: TransferLinkOptions;
  /** @default 0.0005 */
  readonly lookupSeconds?: number;
  /** Time added to each step. @default `typicalStepSeconds.lmcache` */
  readonly stepSeconds?: number;
}

const defaultChunkTokens = 256;
/**
 * Estimated, not measured: hashing the chunks of a prompt in Python and one request to the worker over
 * ZeroMQ; a single EXIST to an lm:// server takes 60 µs on loopback.
 */
const defaultLookupSeconds = 0.0005;

/**
 * The LMCache configuration of an engine with this layout.
 *
 * @throws {InputError} If a chunk is not a whole number of blocks.
 */
export function lmcacheFor(
  { model, gpu, tensorParallelSize = 1 }: LayoutOptions,
  settings: LmcacheSettings,
): LmcacheConfig {
  const { hostBytes, blockSize, chunkTokens = defaultChunkTokens } = settings;
  const { link = hostLink(gpu), lookupSeconds = defaultLookupSeconds } = settings;
  const { stepSeconds = typicalStepSeconds.lmcache } = settings;
  if (!(hostBytes >= 0)) {
    throw new InputError(
      `The host memory for LMCache is ${hostBytes} bytes; it must not be negative`,
    );
  }
  if (chunkTokens % blockSize !== 0) {
    throw new InputError(
      `LMCache chunks of ${chunkTokens} tokens are not a whole number of blocks of ${blockSize} tokens`,
    );
  }
  const perGpu = chunkTokens * kvBytesPerTokenPerGpu(model, tensorParallelSize);
  // With latent attention every GPU holds the same values, and one copy is kept.
  const copies = model.latentAttention === undefined ? tensorParallelSize : 1;
  const chunkBytes = perGpu * copies;
  return {
    blocksPerChunk: chunkTokens / blockSize,
    ...{ chunkBytes, chunkBytesPerGpu: perGpu, link, lookupSeconds, stepSeconds },
    localChunksMax: Math.floor(hostBytes / chunkBytes),
  };
}

// Converts a request of a trace to the forms that the router, an engine, and the KV events between them
// use.
import type { EngineRequest } from '../engine/index.ts';
import { type BlockKey, type ChainHash, chainRoot, hashTokenBlock } from '../kv/index.ts';
import type { BlockStoredEvent } from '../protocol/index.ts';
import type { PromptBlockNames, RoutingRequest } from '../routing/index.ts';
import type { WorkloadRequest } from '../traces/index.ts';

/** Bytes of pseudo text per prompt token: one word, which is also the token's id. */
const bytesPerToken = 4;

/**
 * The words of all blocks: each block is its id, repeated. Created at the first read, which most policies
 * never do.
 */
export function wordsOf(
  { blockIds }: WorkloadRequest,
  traceBlockTokens: number,
): () => Uint32Array<ArrayBuffer> {
  let words: Uint32Array<ArrayBuffer> | undefined;
  return () => {
    if (words !== undefined) return words;
    words = new Uint32Array(blockIds.length * traceBlockTokens);
    for (const [block, id] of blockIds.entries()) {
      words.fill(id + 1, block * traceBlockTokens, (block + 1) * traceBlockTokens);
    }
    return words;
  };
}

/** A request to a simulated router. */
export interface FleetRoutingRequest extends RoutingRequest {
  /** The keys of the prompt's full blocks in an engine with such blocks. */
  readonly blockKeys: (blockSize: number) => (block: number) => BlockKey;
}

/** The prompt as pseudo text and as tokens, and the block names, which are those of the trace. */
export function routingRequestOf(
  { promptTokens, blockIds, session }: WorkloadRequest,
  index: number,
  traceBlockTokens: number,
  words: () => Uint32Array<ArrayBuffer>,
): FleetRoutingRequest {
  return {
    blockKeys: (blockSize) => blockKeysOf(blockIds, traceBlockTokens / blockSize),
    id: String(index),
    model: 'm',
    session,
    get prompt() {
      return [new Uint8Array(words().buffer, 0, promptTokens * bytesPerToken)];
    },
    promptBlockNames: (blockBytes) =>
      blockNames(blockIds, { promptTokens, traceBlockTokens, blockBytes }),
    promptTokens,
    get tokens() {
      return words().subarray(0, promptTokens);
    },
    outputTokensMax: undefined,
    stream: true,
  };
}

/** Chained names of the text's blocks, if each lies within one block of the trace. */
function blockNames(
  blockIds: readonly number[],
  sizes: {
    readonly promptTokens: number;
    readonly traceBlockTokens: number;
    readonly blockBytes: number;
  },
): PromptBlockNames | undefined {
  const { promptTokens, traceBlockTokens, blockBytes } = sizes;
  const parts = (traceBlockTokens * bytesPerToken) / blockBytes;
  if (!Number.isInteger(parts)) return undefined;
  const promptBytes = promptTokens * bytesPerToken;
  const hashes = new Float64Array(Math.floor(promptBytes / blockBytes));
  // Names are below 2^53: each part of a block has a separate range for the block's name.
  const range = Math.floor(2 ** 53 / parts);
  let parent: ChainHash = chainRoot;
  let block = 0;
  for (const id of blockIds) {
    wordOfBlock[0] = id + 1;
    parent = hashTokenBlock(parent, wordOfBlock, 0, 1);
    const name = parent % range;
    for (let part = 0; part < parts && block < hashes.length; part++) {
      hashes[block++] = name + part * range;
    }
  }
  return { hashes, blockBytes, promptBytes };
}

const wordOfBlock = new Uint32Array(1);

export function engineRequestOf(
  { promptTokens, outputTokens, blockIds, coversAnswer, adapterId }: WorkloadRequest,
  index: number,
  traceBlockTokens: number,
  blockSize: number,
): EngineRequest {
  const known = blockKeysOf(blockIds, traceBlockTokens / blockSize);
  // A trace does not contain the outputs, so the blocks of an output are unique.
  const knownBlocks = coversAnswer
    ? Math.floor((promptTokens + outputTokens) / blockSize)
    : Math.floor(promptTokens / blockSize);
  return {
    id: String(index),
    promptTokens,
    maxTokens: Math.max(1, outputTokens),
    priority: 0,
    arrivalSeconds: 0,
    adapterId,
    blockKey(block) {
      if (block >= knownBlocks) return -(index * 65_536 + block) - 1;
      return known(block);
    },
  };
}

/** @param perTraceBlock Blocks of an engine per block of the trace. */
function blockKeysOf(
  blockIds: readonly number[],
  perTraceBlock: number,
): (block: number) => number {
  return (block) => {
    const id = blockIds[Math.floor(block / perTraceBlock)] as number;
    return id * perTraceBlock + (block % perTraceBlock);
  };
}

/**
 * The event that vLLM publishes for blocks of a request; tokens without a word are unique.
 *
 * @param words Words of the request whose tokens are known.
 */
export function storedEvent(
  request: EngineRequest,
  words: Uint32Array | undefined,
  first: number,
  count: number,
  blockSize: number,
): BlockStoredEvent {
  const hashes = Array.from({ length: count }, (_, i) => hashOf(request.blockKey(first + i)));
  const start = first * blockSize;
  const tokenIds = new Uint32Array(count * blockSize);
  const known = words?.subarray(start, start + tokenIds.length);
  if (known) tokenIds.set(known);
  const own = Number(request.id) + start;
  for (let i = known?.length ?? 0; i < tokenIds.length; i++) tokenIds[i] = own + i;
  return {
    type: 'BlockStored',
    blockHashes: hashes,
    parentBlockHash: first === 0 ? undefined : hashOf(request.blockKey(first - 1)),
    tokenIds,
    blockSize,
    loraId: undefined,
    medium: 'GPU',
    loraName: undefined,
  };
}

/** Keys of output blocks are negative, hashes are not. */
export function hashOf(key: BlockKey): bigint {
  return BigInt(key) + 2n ** 48n;
}

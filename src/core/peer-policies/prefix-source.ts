// The sources from which llm-d and Dynamo learn the cached part of a prompt: the router's own picks
// (approximate) or the engines' KV events (precise).
// Source: llm-d-router@ebab687, approximateprefix/ and preciseprefixcache/.
import type { KvIndex } from '../kv/index.ts';
import type { Endpoint, RoutingRequest } from '../routing/index.ts';
import {
  type NamedPromptBlocks,
  PrefixMemory,
  type PromptBlocks,
  promptBlocks,
  tokensOf,
} from './prefix-memory.ts';

/** The lookup result of a prompt, computed once per pick. */
export interface PrefixMatch {
  readonly blocks: NamedPromptBlocks;
  /** Prompt tokens that each candidate holds, in [0, promptTokens). */
  readonly cachedTokens: readonly number[];
}

export interface PrefixSource {
  /** Whether requests must include their tokens. */
  readonly needsTokens: boolean;
  blocksOf(request: RoutingRequest): NamedPromptBlocks;
  match(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): PrefixMatch;
  sent(endpoint: Endpoint, blocks: PromptBlocks, nowSeconds: number): void;
  reset(endpoint: Endpoint): void;
}

/**
 * Bytes per block: 64 tokens at llm-d's four bytes per pseudo-token. llm-d has 16 tokens; 64 is the block
 * of the simulated engines, so no finer block could hit.
 */
const blockBytes = 256;
/** LRU entries per pod, llm-d's default of 31,250 blocks of 16 tokens, in blocks of 64. */
const blocksDefault = 7812;
/** A size reported by an engine replaces the default (llm-d's auto-tuning), up to this limit. */
const blocksMax = 1_000_000;
/** Prompt length in tokens beyond which llm-d does not look up. */
const promptTokensMax = 131_072;
/** How long the precise index assumes a block to be cached based on a pick alone. */
const speculativeSeconds = 2;

export function approximatePrefixes(): PrefixSource {
  const memory = new PrefixMemory({ blocksMax });
  return {
    needsTokens: false,
    blocksOf: blocksWithinReach,
    match: (request, endpoints, nowSeconds) => {
      const blocks = blocksWithinReach(request);
      const cachedTokens = endpoints.map((endpoint) =>
        tokensOf(memory.leadingBlocks(endpoint, blocks, nowSeconds), blocks, request.promptTokens),
      );
      return { blocks, cachedTokens };
    },
    sent: (endpoint, blocks, nowSeconds) => {
      const { blocksTotal, blockTokens } = endpoint.reported ?? {};
      const told =
        blocksTotal && blockTokens && blocks.blockTokens > 0
          ? (blocksTotal * blockTokens) / blocks.blockTokens
          : blocksDefault;
      memory.touch(endpoint, blocks, nowSeconds, told);
    },
    reset: (endpoint) => memory.reset(endpoint),
  };
}

/** @param index Fed by the caller with the events of the engines, under their URLs. */
export function precisePrefixes(
  index: KvIndex,
  options: { readonly speculates: boolean },
): PrefixSource {
  const speculative = new PrefixMemory({ blocksMax, ttlSeconds: speculativeSeconds });
  return {
    needsTokens: true,
    blocksOf: blocksWithinReach,
    match: (request, endpoints, nowSeconds) => {
      const blocks = blocksWithinReach(request);
      const { tokens, cacheSalt } = request;
      const names = endpoints.map(({ url }) => url);
      const held = tokens && index.match(tokens, { loraName: undefined, cacheSalt }, names);
      const cachedTokens = endpoints.map((endpoint, i) => {
        const likely = options.speculates
          ? speculative.leadingBlocks(endpoint, blocks, nowSeconds)
          : 0;
        return Math.min(
          Math.max(held?.[i] ?? 0, tokensOf(likely, blocks, request.promptTokens)),
          Math.max(0, request.promptTokens - 1),
        );
      });
      return { blocks, cachedTokens };
    },
    sent: (endpoint, blocks, nowSeconds) => {
      if (options.speculates) speculative.touch(endpoint, blocks, nowSeconds);
    },
    reset: (endpoint) => speculative.reset(endpoint),
  };
}

function blocksWithinReach(request: RoutingRequest): NamedPromptBlocks {
  const blocks = promptBlocks(request, blockBytes);
  if (request.promptTokens <= promptTokensMax) return blocks;
  const reach = Math.floor(promptTokensMax / blocks.blockTokens);
  return { ...blocks, hashes: blocks.hashes.subarray(0, reach) };
}

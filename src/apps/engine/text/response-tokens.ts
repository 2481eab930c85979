// The tokens of a response: prescribed or free text, with or without preceding reasoning.
import { type Random, seededRandom } from '../../../core/base/index.ts';
import { hashTokenBlock } from '../../../core/kv/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { prefixRoot } from '../sequences/prefix-root.ts';
import type { SequenceRequest } from '../sequences/sequence-request.ts';
import { scriptedTokens, type TokenSource, tokensThen } from '../sequences/token-source.ts';
import { biasedTokens } from './biased-tokens.ts';
import { syntheticText } from './synthetic-text.ts';
import { thinkFirst, thinkingEnd } from './thinking.ts';
import { wordListOf } from './word-list.ts';

/** The "model" of one engine. */
export interface TextModel {
  readonly tokenizer: Tokenizer;
  /** End tokens of generation_config.json, in addition to the tokenizer's. */
  readonly endTokens: readonly number[];
  readonly seed: number;
  /** Random weights have no preference: any bias decides, and no response ends by itself. */
  readonly isUndecided: boolean;
}

/** The same prompt gets the same response, regardless of other requests. */
export function responseTokens(model: TextModel, request: SequenceRequest): TokenSource {
  const { script, thinks, ignoreEos } = request;
  const endToken = model.tokenizer.eosTokenId;
  if (script && !thinks && !ignoreEos) return scriptedTokens(script, endToken ?? 0);
  const random = seededRandom(textSeed(model, request));
  const text = (end: number | undefined, tokensMin: number) =>
    freeText(model, request, { random, endToken: end, tokensMin });
  const free = text(ignoreEos || model.isUndecided ? undefined : endToken, request.minTokens);
  const answer = script ? formed(script, ignoreEos, free, endToken) : free;
  if (!thinks) return answer;
  return thinkFirst({
    thoughts: text(undefined, 0),
    end: model.tokenizer.encode(`\n${thinkingEnd}\n\n`, { addSpecialTokens: false }),
    answer,
    random,
  });
}

/** Constrained text continues as free text when the end token is ignored. */
function formed(
  script: readonly number[],
  ignoreEos: boolean,
  free: TokenSource,
  endToken: number | undefined,
): TokenSource {
  return ignoreEos ? tokensThen(script, free) : scriptedTokens(script, endToken ?? 0);
}

/** Free text, within the request's limits on tokens. */
function freeText(
  { tokenizer, endTokens, isUndecided }: TextModel,
  { allowedTokens: allowed, logitBias, ignoreEos, stopTokens }: SequenceRequest,
  how: { random: Random; endToken: number | undefined; tokensMin: number },
): TokenSource {
  const words = allowed
    ? { words: allowed, openers: allowed, capitals: allowed }
    : wordListOf(tokenizer);
  const own = tokenizer.eosTokenId;
  const ends = new Set(stopTokens);
  if (!ignoreEos) for (const end of endTokens) ends.add(end);
  if (!ignoreEos && own !== undefined) ends.add(own);
  return biasedTokens(syntheticText({ words, ...how }), {
    ...{ logitBias, allowed, tokensMin: how.tokensMin, ends, isUndecided },
  });
}

function textSeed(
  model: TextModel,
  { prompt, seed = 0, choice, adapter }: SequenceRequest,
): number {
  const key = hashTokenBlock(prefixRoot(undefined, adapter), prompt, 0, prompt.length);
  return hashTokenBlock(key, [model.seed, seed, choice], 0, 3);
}

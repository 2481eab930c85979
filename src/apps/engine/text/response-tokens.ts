// The tokens of a response: prescribed or free text, with or without preceding reasoning.
import { hashTokenBlock } from '../../../core/kv/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { prefixRoot } from '../sequences/prefix-root.ts';
import type { SequenceRequest } from '../sequences/sequence-request.ts';
import {
  type Script,
  scriptedTokens,
  type TokenSource,
  tokensThen,
} from '../sequences/token-source.ts';
import { biasedTokens } from './biased-tokens.ts';
import { type SyntheticTextOptions, syntheticText } from './synthetic-text.ts';
import { thinkFirst, thinkingEnd } from './thinking.ts';
import { TokenHistory } from './token-history.ts';
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

/**
 * Each token is a function of the model, the request's seed and all tokens before it, regardless of other requests:
 * the same prompt gets the same response, and a prompt that ends with a part of it gets the rest.
 */
export function responseTokens(model: TextModel, request: SequenceRequest): TokenSource {
  const { script, thinks, ignoreEos } = request;
  const endToken = model.tokenizer.eosTokenId;
  if (script && !thinks && !ignoreEos) return scriptedTokens(script, endToken ?? 0);
  const history = new TokenHistory(textKey(model, request), request.prompt, request.seed);
  const text = (end: number | undefined, tokensMin: number) =>
    freeText(model, request, { history, endToken: end, tokensMin });
  const free = text(ignoreEos || model.isUndecided ? undefined : endToken, request.minTokens);
  const answer = script ? formed(script, ignoreEos, free, endToken) : free;
  if (!thinks) return answer;
  return thinkFirst({
    thoughts: text(undefined, 0),
    end: model.tokenizer.encode(`\n${thinkingEnd}\n\n`, { addSpecialTokens: false }),
    stop: wordsOf(model, request).stop,
    ...{ answer, history },
  });
}

/** Constrained text continues as free text when the end token is ignored. */
function formed(
  script: Script,
  ignoreEos: boolean,
  free: TokenSource,
  endToken: number | undefined,
): TokenSource {
  return ignoreEos ? tokensThen(script, free) : scriptedTokens(script, endToken ?? 0);
}

type Words = SyntheticTextOptions['words'];

function wordsOf(
  { tokenizer }: TextModel,
  { allowedTokens: allowed }: Pick<SequenceRequest, 'allowedTokens'>,
): Words {
  return allowed ? { words: allowed, openers: allowed, capitals: allowed } : wordListOf(tokenizer);
}

/** Free text, within the request's limits on tokens. */
function freeText(
  model: TextModel,
  request: SequenceRequest,
  how: Omit<SyntheticTextOptions, 'words'>,
): TokenSource {
  const { tokenizer, endTokens, isUndecided } = model;
  const { allowedTokens: allowed, logitBias, ignoreEos, stopTokens } = request;
  const own = tokenizer.eosTokenId;
  const ends = new Set(stopTokens);
  if (!ignoreEos) for (const end of endTokens) ends.add(end);
  if (!ignoreEos && own !== undefined) ends.add(own);
  return biasedTokens(syntheticText({ words: wordsOf(model, request), ...how }), {
    ...{ logitBias, allowed, tokensMin: how.tokensMin, ends, isUndecided },
  });
}

/** What decides about the text besides its tokens and the request's seed. */
function textKey(model: TextModel, { choice, adapter }: SequenceRequest): number {
  return hashTokenBlock(prefixRoot(undefined, adapter), [model.seed, choice], 0, 2);
}

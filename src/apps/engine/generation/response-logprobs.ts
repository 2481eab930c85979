// Log probabilities in responses: `logprobs` of chat choices, `prompt_logprobs` of all routes.
import type { ChatRequest } from '../../../core/api/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { likeliest, ownLogprob, type TokenLogprob } from '../text/logprobs.ts';

/** Returns null unless the request asks for log probabilities. */
export function chatLogprobs(
  tokenizer: Tokenizer,
  request: Pick<
    ChatRequest,
    'logprobs' | 'top_logprobs' | 'return_tokens_as_token_ids' | 'use_beam_search'
  >,
  tokenIds: readonly number[],
): { content: object[] } | null {
  if (request.logprobs !== true) return null;
  const asIds = request.return_tokens_as_token_ids === true;
  const top = Math.max(0, request.top_logprobs ?? 0);
  return {
    content: tokenIds.map((tokenId) => ({
      ...entry(ownLogprob(tokenizer, tokenId), asIds),
      // The steps of a beam search are not detokenized.
      bytes: request.use_beam_search ? null : [...tokenizer.tokenBytes(tokenId)],
      top_logprobs: likeliest(tokenizer, tokenId, top).map((one) => ({
        ...entry(one, asIds),
        // As in vLLM, the bytes of the written text, not of the token.
        bytes: [...new TextEncoder().encode(asIds ? `token_id:${one.tokenId}` : one.text)],
      })),
    })),
  };
}

function entry({ tokenId, text, logprob }: TokenLogprob, asIds: boolean): object {
  return { token: asIds ? `token_id:${tokenId}` : text, logprob };
}

/**
 * One object per prompt token; the first is null, because no token precedes it. Null unless
 * requested.
 */
export function promptLogprobs(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  top: number | null | undefined,
): (object | null)[] | null {
  if (top == null) return null;
  return prompt.map((tokenId, i) => {
    if (i === 0) return null;
    const tokens = likeliest(tokenizer, tokenId, Math.max(1, top + 1));
    return Object.fromEntries(
      tokens.map(({ tokenId: id, logprob, text }, rank) => [
        id,
        // The most likely token is not that of the prompt, which ranks after all listed
        // alternatives.
        { logprob, rank: rank === 0 ? tokens.length : rank, decoded_token: text },
      ]),
    );
  });
}

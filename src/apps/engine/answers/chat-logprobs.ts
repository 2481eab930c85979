// The `logprobs` of chat choices.
import type { ChatRequest } from '../../../core/api/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { likeliest, ownLogprob, type TokenLogprob } from '../text/logprobs.ts';

/** Null unless the request asks for them. */
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
        // As vLLM does: the bytes of what is written, not of the token.
        bytes: [...new TextEncoder().encode(asIds ? `token_id:${one.tokenId}` : one.text)],
      })),
    })),
  };
}

function entry({ tokenId, text, logprob }: TokenLogprob, asIds: boolean): object {
  return { token: asIds ? `token_id:${tokenId}` : text, logprob };
}

// The `logprobs` of completion choices: four parallel lists.
import type { CompletionRequest } from '../../../core/api/index.ts';
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { likeliest, ownLogprob } from '../text/logprobs.ts';

export interface CompletionLogprobs {
  text_offset: number[];
  token_logprobs: (number | null)[];
  tokens: string[];
  top_logprobs: (Record<string, number> | null)[];
}

/**
 * @param startsPrompt No token precedes the first one: its figures are null.
 * @param offset Number of characters of the choice's text before these tokens.
 * @returns Null unless the request asks for log probabilities.
 */
export function completionLogprobs(
  tokenizer: Tokenizer,
  request: Pick<CompletionRequest, 'logprobs' | 'return_tokens_as_token_ids'>,
  tokenIds: readonly number[],
  startsPrompt: boolean,
  offset: number,
): CompletionLogprobs | null {
  const top = request.logprobs;
  if (top == null) return null;
  const logprobs: CompletionLogprobs = {
    text_offset: [],
    token_logprobs: [],
    tokens: [],
    top_logprobs: [],
  };
  let at = offset;
  tokenIds.forEach((tokenId, i) => {
    const { text, logprob } = ownLogprob(tokenizer, tokenId);
    const isUnknown = startsPrompt && i === 0;
    const written = request.return_tokens_as_token_ids ? `token_id:${tokenId}` : text;
    logprobs.text_offset.push(at);
    logprobs.token_logprobs.push(isUnknown ? null : logprob);
    logprobs.tokens.push(written);
    logprobs.top_logprobs.push(
      isUnknown
        ? null
        : Object.fromEntries(
            likeliest(tokenizer, tokenId, Math.max(1, top)).map((one) => [
              request.return_tokens_as_token_ids ? `token_id:${one.tokenId}` : one.text,
              one.logprob,
            ]),
          ),
    );
    at += text.length;
  });
  return logprobs;
}

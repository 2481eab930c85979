// Computes the positions of tokens in a text, counted as in Hugging Face's tokenizers.
import type { Tokenizer } from '../../../../core/tokenizer/index.ts';

/**
 * @returns Shape [n]: start and end of each token in Unicode characters; a token that is part of a
 *   character spans all of it.
 * @example tokenOffsets(tokenizer, 'Say hello', [45764, 23811]); // [[0, 3], [3, 9]]
 */
export function tokenOffsets(
  tokenizer: Tokenizer,
  text: string,
  tokens: readonly number[],
): (readonly [number, number])[] {
  const characterOfByte: number[] = [];
  const encoder = new TextEncoder();
  let character = 0;
  for (const one of text) {
    for (let i = encoder.encode(one).length; i > 0; i--) characterOfByte.push(character);
    character++;
  }
  let byte = 0;
  return tokens.map((token) => {
    const start = characterOfByte[byte] ?? character;
    byte += tokenizer.tokenBytes(token).length;
    return [start, (characterOfByte[byte - 1] ?? character - 1) + 1] as const;
  });
}

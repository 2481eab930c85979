// Where the tokens of an answer come from.

/** An endless supply of tokens: what the "model" would sample next. */
export interface TokenSource {
  next(): number;
}

/** These tokens, then what another source gives. */
export function tokensThen(tokens: readonly number[], rest: TokenSource): TokenSource {
  let at = 0;
  return { next: () => tokens[at++] ?? rest.next() };
}

/**
 * A text that is fixed in advance, such as a tool call, then the end token for ever.
 *
 * @param tokens Token ids of the text.
 */
export function scriptedTokens(tokens: readonly number[], endToken: number): TokenSource {
  let at = 0;
  return { next: () => tokens[at++] ?? endToken };
}

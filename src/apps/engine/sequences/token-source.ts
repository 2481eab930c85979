// The source of the tokens of a response.

/** An endless supply of tokens: those that the "model" would sample next. */
export interface TokenSource {
  next(): number;
}

/** Returns these tokens, then those of another source. */
export function tokensThen(tokens: readonly number[], rest: TokenSource): TokenSource {
  let at = 0;
  return { next: () => tokens[at++] ?? rest.next() };
}

/**
 * Returns fixed text, such as a tool call, then the end token for ever.
 *
 * @param tokens Token ids of the text.
 */
export function scriptedTokens(tokens: readonly number[], endToken: number): TokenSource {
  let at = 0;
  return { next: () => tokens[at++] ?? endToken };
}

// The source of the tokens of a response.

/** An endless supply of tokens: those that the "model" would sample next. */
export interface TokenSource {
  /**
   * @param output All tokens of the response so far.
   * @param draw 0 for the most likely token, 1 and more for others in its place. @default 0
   */
  next(output: readonly number[], draw?: number): number;
}

/** Returns these tokens, then those of another source. */
export function tokensThen(tokens: readonly number[], rest: TokenSource): TokenSource {
  let at = 0;
  return { next: (output, draw) => tokens[at++] ?? rest.next(output, draw) };
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

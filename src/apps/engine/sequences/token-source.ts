// The source of the tokens of a response.

/** An endless supply of tokens: those that the "model" would sample next. */
export interface TokenSource {
  /**
   * @param output All tokens of the response so far.
   * @param draw 0 for the most likely token, 1 and more for others in its place. @default 0
   */
  next(output: readonly number[], draw?: number): number;
}

/** Prescribed tokens of a response, such as a list of them. */
export interface Script {
  /** Returns the token of this place, from 0; undefined after the last one. */
  at(index: number): number | undefined;
}

/** Returns these tokens, then those of another source. */
export function tokensThen(script: Script, rest: TokenSource): TokenSource {
  let at = 0;
  return { next: (output, draw) => script.at(at++) ?? rest.next(output, draw) };
}

/**
 * Returns fixed text, such as a tool call, then the end token for ever.
 */
export function scriptedTokens(script: Script, endToken: number): TokenSource {
  let at = 0;
  return { next: () => script.at(at++) ?? endToken };
}

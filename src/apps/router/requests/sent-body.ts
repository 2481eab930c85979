// The body of a request as one engine gets it.

/** A body as an engine gets it, in two parts: one that is longer than the client's is not copied. */
export interface SentBody {
  /** ASCII. */
  readonly start: string;
  readonly rest: Buffer;
  /** Whether it asks for the ids of tokens, which only vLLM knows. @default false */
  readonly asksTokenIds?: boolean;
}

// The tokens of texts, as the router's own tokenizer computes them.

/** Tokens of one request's prompt and of parts of its response, where the router has the model's tokenizer. */
export interface TextTokens {
  /** Whether an engine has counted as many tokens in a prompt of this model as the router. */
  readonly isProven: boolean;
  /** An engine has counted the tokens of this request's prompt. */
  prove(inputTokens: number): void;
  /** Tokens of the prompt, shape [tokens]; undefined if they are not known. */
  prompt(): ArrayLike<number> | undefined;
  /** Tokens of a text without those that begin or end a prompt; undefined without a tokenizer. */
  encode(text: string): ArrayLike<number> | undefined;
  /** The id of a token by its text; undefined if the vocabulary has none. */
  idOf(token: string): number | undefined;
}

/** A router without a tokenizer of the model. */
export const noTextTokens: TextTokens = {
  isProven: false,
  prove: () => {},
  prompt: () => undefined,
  encode: () => undefined,
  idOf: () => undefined,
};

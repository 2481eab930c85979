// The tokens of a request's prompt, by which KV events say what an engine has cached. The router computes them
// itself: no engine stands in the way of a pick.
import type { NotTokenized, PromptKind, TokenizedPrompt } from '../../../core/prompts/index.ts';
import type { NotInTime } from '../../../io/tokenizers/index.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { EngineTokenize } from './engine-tokenize.ts';
import type { ModelTokenizers, NoTokenizer } from './model-tokenizers.ts';

/** Longer bodies are tokenized in another thread: 10 KB of text that was never seen take a millisecond. */
const loopBytesMax = 10 * 1024;
/** Longer bodies are not tokenized: a second of work, and more text than a context of a million tokens holds. */
const tokenizedBytesMax = 8 * 1_048_576;

/** Why a prompt is routed without its tokens. */
export type Untokenized = NotTokenized | NotInTime | NoTokenizer | 'long';

export interface PromptTokensOptions {
  readonly tokenizers: ModelTokenizers;
  /** Undefined if engines are never asked. */
  readonly engineTokenize: EngineTokenize | undefined;
  readonly metrics: RouterMetrics;
}

export class PromptTokens {
  readonly #options: PromptTokensOptions;

  constructor(options: PromptTokensOptions) {
    this.#options = options;
  }

  /** Streams are going to continue from their text: tokenizers are needed, whatever the policy. */
  want(): void {
    this.#options.tokenizers.want();
  }

  /**
   * @param body The JSON body of the request.
   * @returns Undefined if the prompt is to be routed without tokens; a promise only if it takes longer. Never rejects.
   */
  of(
    model: string,
    kind: PromptKind,
    body: Buffer,
  ): TokenizedPrompt | undefined | Promise<TokenizedPrompt | undefined> {
    const found = this.#options.tokenizers.of(model);
    if (typeof found === 'string') return this.#without(found, model, kind, body);
    if (body.length > tokenizedBytesMax) return this.#counted('long');
    if (body.length > loopBytesMax) {
      return found.thread.tokenize(found.name, kind, body).then((result) => this.#counted(result));
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString());
    } catch {
      return this.#counted('refused');
    }
    return this.#counted(found.prompts.tokenize(kind, parsed));
  }

  /** Without a tokenizer, an engine is asked if the user wants that. */
  #without(
    why: NoTokenizer,
    model: string,
    kind: PromptKind,
    body: Buffer,
  ): undefined | Promise<TokenizedPrompt | undefined> {
    const { engineTokenize, metrics } = this.#options;
    const isAsked = kind === 'chat' || kind === 'completions';
    if (engineTokenize === undefined || !isAsked) {
      this.#counted(why);
      return undefined;
    }
    return engineTokenize.tokens(model, body).then((tokens) => {
      if (tokens === undefined) return this.#counted(why);
      metrics.tokenizedPrompts.with({ by: 'engine' }).inc();
      return { tokens, cacheSalt: undefined };
    });
  }

  #counted(result: TokenizedPrompt | Untokenized): TokenizedPrompt | undefined {
    const { tokenizedPrompts, untokenizedPrompts } = this.#options.metrics;
    if (typeof result === 'string') {
      untokenizedPrompts.with({ reason: result }).inc();
      return undefined;
    }
    tokenizedPrompts.with({ by: 'router' }).inc();
    return result;
  }
}

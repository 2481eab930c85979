// The tokens of a request and of its response by the router's own tokenizer: for streams that continue from their text.
import type { TextTokens } from '../../../core/migration/index.ts';
import type { PromptKind } from '../../../core/prompts/index.ts';
import type { RoutingCore, RoutingRequest } from '../../../core/routing/index.ts';
import type { ModelTokenizers } from './model-tokenizers.ts';

/** @param body The JSON body of the request. */
export type TextTokensOf = (
  request: Pick<RoutingRequest, 'model' | 'tokens'>,
  kind: PromptKind,
  body: Buffer,
) => TextTokens | undefined;

/** Longer prompts that were routed without their tokens stay without them: they would block the router. */
const bodyBytesMax = 64 * 1024;
/** Prompts that an engine counts differently before the router no longer compares them. */
const differencesMax = 16;

export function textTokensFrom(
  core: Pick<RoutingCore, 'resolveModel'>,
  tokenizers: Pick<ModelTokenizers, 'of'>,
): TextTokensOf {
  /** By tokenizer: whether an engine has counted as many tokens as it, and how often one has not. */
  const proofs = new WeakMap<object, { isProven: boolean; differences: number }>();
  return ({ model, tokens }, kind, body) => {
    const resolved = core.resolveModel(model);
    const found = resolved === undefined ? 'unavailable' : tokenizers.of(resolved);
    if (typeof found === 'string') return undefined;
    const { prompts } = found;
    const prompt = () => {
      if (tokens !== undefined || body.length > bodyBytesMax) return tokens;
      const tokenized = prompts.tokenize(kind, parsed(body));
      return typeof tokenized === 'string' ? undefined : tokenized.tokens;
    };
    return {
      prompt,
      isProven: proofs.get(prompts)?.isProven === true,
      prove(inputTokens) {
        const proof = proofs.get(prompts) ?? { isProven: false, differences: 0 };
        // Each one tokenizes a prompt: one agreement is enough, and so are some differences.
        if (proof.isProven || proof.differences >= differencesMax) return;
        const own = prompt();
        if (own === undefined) return;
        if (own.length === inputTokens) proof.isProven = true;
        else proof.differences++;
        proofs.set(prompts, proof);
      },
      encode: (text) => prompts.encode(text),
      idOf: (token) => prompts.idOf(token),
    };
  };
}

/** @returns Undefined if it is no JSON, such as NaN, which Python reads. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

// The checks that vLLM's server makes on a request before the response starts.
import {
  type ApiError,
  badRequest,
  checkChoices,
  checkSamplingValues,
  checkSizes,
  constraintOf,
  isTruthy,
  modelNotFound,
  type SamplingRead,
} from '../../../core/api/index.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** @throws {ApiError} 404 if the server has no such model or adapter; without a name, its own model is used. */
export function checkModel(engine: EmbeddedEngine, model: string | null | undefined): void {
  if (model == null || model === '' || engine.servedModelNames.includes(model)) return;
  if (engine.adapters.find(model) !== undefined) return;
  if (engine.options.allowRuntimeLoraUpdating) engine.adapters.missed();
  throw modelNotFound(model, engine.servedModelNames);
}

/** The fields of both routes' requests that are checked here and by the engine. */
export type CheckedSampling = SamplingRead &
  Parameters<typeof constraintOf>[0] & {
    readonly use_beam_search?: boolean | null | undefined;
    readonly logprob_token_ids?: readonly number[] | null | undefined;
    readonly thinking_token_budget?: number | null | undefined;
    readonly routed_experts_prompt_start?: number | null | undefined;
  };

/** @throws {ApiError} 400 before the response starts. */
export function checkSamplingOfServer(request: CheckedSampling, maxTokens: number): void {
  if (request.use_beam_search) {
    checkChoices(request.n ?? 1, 'beam_width');
    return;
  }
  checkSizes(constraintOf(request));
  checkSamplingValues(request, maxTokens);
}

/** A beam search is many requests to an engine, so it has no single rendering. */
export function noRenderedBeams(): ApiError {
  return badRequest('Beam search is not supported by the render endpoint');
}

/** Media settings, which a request may not contain. */
export interface UntrustedKwargs {
  readonly mm_processor_kwargs?: unknown;
  readonly media_io_kwargs?: unknown;
}

/** @throws {ApiError} 400 for media settings that could be expensive for the server. */
export function checkUntrustedKwargs(request: UntrustedKwargs): void {
  const fields = [
    ['mm_processor_kwargs', 'preprocessing'],
    ['media_io_kwargs', 'media loading'],
  ] as const;
  for (const [name, what] of fields) {
    if (!isTruthy(request[name])) continue;
    throw badRequest(
      `Per-request ${name} are disabled by default because they can change multimodal ${what} resource usage. Start the server with --trust-request-mm-kwargs only when clients are trusted.`,
      name,
    );
  }
}

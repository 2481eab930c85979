// What vLLM's server says of sampling parameters before it answers.
import {
  checkChoices,
  checkSamplingValues,
  constraintOf,
  type SamplingRead,
} from '../../../core/api/index.ts';

/** What both routes' requests have, as far as it is checked here and by the engine. */
export type CheckedSampling = SamplingRead &
  Parameters<typeof constraintOf>[0] & {
    readonly use_beam_search?: boolean | null | undefined;
    readonly logprob_token_ids?: readonly number[] | null | undefined;
    readonly thinking_token_budget?: number | null | undefined;
    readonly routed_experts_prompt_start?: number | null | undefined;
  };

/** @throws {ApiError} 400 before the answer begins. */
export function checkSamplingOfServer(request: CheckedSampling, maxTokens: number): void {
  if (request.use_beam_search) {
    checkChoices(request.n ?? 1, 'beam_width');
    return;
  }
  constraintOf(request);
  checkSamplingValues(request, maxTokens);
}

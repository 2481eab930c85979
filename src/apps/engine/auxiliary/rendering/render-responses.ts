// POST /v1/responses/render: renders the engine request for a request of the Responses API.
import { readResponsesRequest } from '../../../../core/api/index.ts';
import { randomHex } from '../../base/random-hex.ts';
import { checkModel } from '../../generation/server-checks.ts';
import type { Handler } from '../../http/server.ts';
import { invalidRequest, planResponse } from '../../responses/response-plan.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import { rendering, sendRendered } from './render.ts';
import { extraArgs, samplingParams, structuredOutputs } from './sampling-params.ts';

export function renderResponsesRoute(engine: EmbeddedEngine): Handler {
  return async (exchange) => {
    const given = readResponsesRequest(await exchange.json());
    if (given.previous_response_id != null) {
      checkModel(engine, given.model);
      throw invalidRequest(
        'previous_response_id is not supported by the stateless render endpoint.',
        'previous_response_id',
      );
    }
    const { request, plan } = await planResponse(engine, given, { isRender: true });
    const isStream = given.stream === true;
    const id = given.request_id ?? `resp_${randomHex(8)}`;
    const hasParser = engine.options.reasoningParser !== undefined;
    // Tool calls use special tokens, which the parser needs.
    const hasTools = (given.tools?.length ?? 0) > 0 && given.tool_choice !== 'none';
    const isParsed = hasTools && engine.options.toolCallParser !== undefined;
    const shown = isParsed ? { ...request, skip_special_tokens: false } : request;
    sendRendered(exchange, {
      ...rendering(id, plan.tokens, { ...given, isStream }),
      sampling_params: samplingParams(shown, engine.options.samplingDefaults ?? {}, {
        maxTokens: plan.maxTokens,
        isStream,
        logprobs: request.logprobs ? (given.top_logprobs ?? 0) : undefined,
        extraArgs: extraArgs(given) ?? {},
        structuredOutputs: structuredOutputs(request),
      }),
      kv_transfer_params: given.kv_transfer_params ?? null,
      reasoning_parser_kwargs: hasParser
        ? { chat_template_kwargs: request.chat_template_kwargs ?? {} }
        : null,
    });
  };
}

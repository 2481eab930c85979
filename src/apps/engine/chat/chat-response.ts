// A non-streamed chat response.
import { type ChatRequest, usageObject } from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import { CollectedChoices } from '../generation/collected-choices.ts';
import { keptParams } from '../generation/handed-over.ts';
import { outputTokens, refusesLogprobs } from '../generation/request-bounds.ts';
import { wholeMetrics } from '../generation/request-metrics.ts';
import { chatLogprobs, promptLogprobs } from '../generation/response-logprobs.ts';
import {
  chatUsageOf,
  createdSeconds,
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import { echoedText, finishReasonOf, hidesTokens, responseRole } from './chat-parts.ts';

export class ChatResponse implements ResponseWriter {
  readonly #head: ResponseContext<ChatRequest>;
  readonly #call: ToolCall | undefined;
  readonly #choices: CollectedChoices;

  /** @param call The tool call of which every choice consists. */
  constructor(head: ResponseContext<ChatRequest>, call: ToolCall | undefined) {
    this.#head = head;
    this.#choices = new CollectedChoices(head.tellsLastAlone);
    this.#call = call;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#choices.start(sequences);
  }

  onDelta(choice: number, delta: TokenDelta): void {
    if (this.#choices.push(choice, delta)) this.#send();
  }

  #tokens(sequence: GeneratedSequence, index: number): readonly number[] {
    return this.#head.tellsLastAlone ? (this.#choices.end(index)?.tokenIds ?? []) : sequence.output;
  }

  #send(): void {
    const { id, engine, exchange, request } = this.#head;
    const prompt = this.#choices.sequences[0]?.prompt ?? [];
    const top = request.logprobs === true ? (request.top_logprobs ?? 0) : null;
    if (refusesLogprobs(exchange, outputTokens(this.#choices.sequences), top)) return;
    setLoadHeaders(this.#head);
    // The log probabilities of an echoed prompt are computed like those of the response.
    const isBatch = this.#head.isBatch === true;
    const promptTop =
      isBatch || request.use_beam_search
        ? null
        : (request.prompt_logprobs ?? (request.echo ? (request.top_logprobs ?? 0) : null));
    const body = {
      id,
      object: 'chat.completion',
      created: createdSeconds(),
      model: engine.responseModelName(request.model),
      choices: this.#choices.sequences.map((sequence, index) => this.#choice(sequence, index)),
      service_tier: null,
      system_fingerprint: engine.systemFingerprint,
      usage: usageObject({
        ...chatUsageOf(this.#head, this.#choices.sequences),
        completionTokens: this.#choices.sequences.reduce(
          (total, sequence, index) => total + this.#tokens(sequence, index).length,
          0,
        ),
      }),
      prompt_logprobs: promptLogprobs(engine.tokenizer, prompt, promptTop),
      prompt_token_ids: request.return_token_ids && !isBatch ? prompt : null,
      prompt_text: this.#head.promptText ?? null,
      kv_transfer_params: keptParams(engine, this.#choices.sequences),
      ec_transfer_params: null,
      metrics: wholeMetrics(engine, this.#choices.sequences),
    };
    exchange.sendJson(200, JSON.stringify(body));
  }

  #content(call: ToolCall | undefined, content: string): string | null {
    const { request, thinks } = this.#head;
    // A tool call that the model chose itself has null content; otherwise the content is empty.
    if (call) return request.tool_choice == null || request.tool_choice === 'auto' ? null : '';
    // With an echo of the last message, there is always a text.
    if (thinks && content === '' && !request.echo) return null;
    return echoedText(request) + content;
  }

  #choice(sequence: GeneratedSequence, index: number): object {
    const { engine, request } = this.#head;
    const end = this.#choices.end(index);
    // A tool call that is cut off by the length limit is not a call: the client gets its text.
    const call = end?.finishReason === 'stop' ? this.#call : undefined;
    if (this.#call) engine.metrics.onToolParser(false, call ? 'tool_call' : 'no_tool_call');
    const hides = hidesTokens(engine, request);
    const tokens = this.#tokens(sequence, index);
    const thinks = this.#head.thinks === true;
    const splitter = new ReasoningSplitter(thinks);
    const { reasoning, content } = splitter.push(this.#choices.text(index), true);
    const shownReasoning = thinks && request.include_reasoning !== false ? reasoning : null;
    return {
      index,
      message: {
        role: this.#head.roles?.[index] ?? responseRole(request),
        content: this.#content(call, content),
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        ...(call && {
          tool_calls: [
            {
              id: `chatcmpl-tool-${randomHex(8)}`,
              type: 'function',
              function: { name: call.name, arguments: call.argumentsJson.whole() },
            },
          ],
        }),
        reasoning: shownReasoning,
      },
      logprobs: hides ? null : chatLogprobs(engine.tokenizer, request, tokens),
      finish_reason: finishReasonOf(end?.finishReason ?? null, request, call),
      stop_reason: end?.stopReason ?? null,
      token_ids: request.return_token_ids && !hides ? tokens : null,
      routed_experts: null,
    };
  }
}

// The /metrics page: vLLM's families under its names, labels and buckets, in its order.
import type { EngineStats } from '../../../core/engine/index.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { EngineServerOptions } from '../options.ts';
import { declareFamilies } from './families.ts';

/** What the engine reports of one finished request; wall seconds. */
export interface FinishedRequest {
  readonly reason: 'stop' | 'length';
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly maxTokens: number;
  readonly choices: number;
  readonly cachedTokens: number;
  readonly preemptions: number;
  readonly arrivalSeconds: number;
  readonly admittedSeconds: number;
  readonly firstTokenSeconds: number;
  readonly lastTokenSeconds: number;
}

export class EngineMetrics {
  readonly #registry: MetricsRegistry;
  readonly #page: ReturnType<typeof declareFamilies>;

  /**
   * @param stats Read when the page is asked for.
   * @param lagSeconds The driver's lag now.
   */
  constructor(
    options: EngineServerOptions,
    modelName: string,
    stats: () => EngineStats,
    lagSeconds: () => number,
  ) {
    this.#registry = new MetricsRegistry({ createdSeconds: Date.now() / 1000 });
    this.#page = declareFamilies(this.#registry, options, modelName);
    const page = this.#page;
    let preemptionsSeen = 0;
    this.#registry.onRender(() => {
      const now = stats();
      page.running.set(now.running);
      page.waiting.set(now.waiting);
      page.waitingForCapacity.set(now.waiting);
      page.kvUsage.set(now.kvUsage);
      page.preemptions.inc(now.preemptions - preemptionsSeen);
      preemptionsSeen = now.preemptions;
      page.lag.set(lagSeconds());
    });
  }

  render(): string {
    return this.#registry.render();
  }

  /** A request left the queue for the first time. */
  onAdmitted(promptTokens: number, cachedTokens: number): void {
    const page = this.#page;
    page.prefixQueries.inc(promptTokens);
    page.prefixHits.inc(cachedTokens);
    page.cachedOnDevice.inc(cachedTokens);
  }

  /** The prompt counts, whole, when the first token is out. */
  onFirstToken(promptTokens: number, cachedTokens: number, seconds: number): void {
    const page = this.#page;
    page.promptTokens.inc(promptTokens);
    page.promptComputed.inc(promptTokens - cachedTokens);
    page.promptFromCache.inc(cachedTokens);
    page.promptCached.inc(cachedTokens);
    page.firstToken.observe(seconds);
  }

  onLaterToken(secondsSinceLast: number): void {
    this.#page.interToken.observe(secondsSinceLast);
  }

  /** @param generated Tokens sampled in this step. @param prefilled Prompt tokens whose first token came. */
  onStep(generated: number, prefilled: number): void {
    this.#page.generationTokens.inc(generated);
    if (generated + prefilled > 0) this.#page.iterationTokens.observe(generated + prefilled);
  }

  /** What the step cost the GPU that is emulated. */
  onEstimate(step: { flops: number; readBytes: number; writeBytes: number }): void {
    this.#page.flops.inc(step.flops);
    this.#page.readBytes.inc(step.readBytes);
    this.#page.writeBytes.inc(step.writeBytes);
  }

  /** Not called for requests whose client has gone: vLLM counts those nowhere. */
  onFinished(request: FinishedRequest): void {
    const page = this.#page;
    const { admittedSeconds, arrivalSeconds, firstTokenSeconds, lastTokenSeconds } = request;
    page.success[request.reason].inc();
    page.requestPrompt.observe(request.promptTokens);
    page.requestGeneration.observe(request.outputTokens);
    page.requestMaxGeneration.observe(request.maxTokens);
    page.requestMaxTokens.observe(request.maxTokens);
    page.requestChoices.observe(request.choices);
    page.requestPreemptions.observe(request.preemptions);
    page.requestComputed.observe(request.promptTokens - request.cachedTokens);
    page.e2e.observe(lastTokenSeconds - arrivalSeconds);
    page.queue.observe(admittedSeconds - arrivalSeconds);
    page.inference.observe(lastTokenSeconds - admittedSeconds);
    page.prefill.observe(firstTokenSeconds - admittedSeconds);
    page.decode.observe(lastTokenSeconds - firstTokenSeconds);
    page.perOutputToken.observe(
      request.outputTokens > 1
        ? (lastTokenSeconds - firstTokenSeconds) / (request.outputTokens - 1)
        : 0,
    );
  }

  onRejected(reason: 'max_num_queued_reqs' | 'max_num_queued_tokens'): void {
    this.#page.rejections[reason].inc();
  }

  onToolParser(isStream: boolean, outcome: 'tool_call' | 'no_tool_call'): void {
    const mode = isStream ? 'streaming' : 'non_streaming';
    this.#page.toolParser(mode, outcome, 'chat_completions').inc();
  }
}

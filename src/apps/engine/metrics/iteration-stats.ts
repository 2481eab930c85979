// Metrics that vLLM's front end counts at each step of its requests.
import type { EngineStats } from '../../../core/engine/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';
import type { EngineMetrics } from './engine-metrics.ts';

/** @see vLLM 0.32, v1/metrics/stats.py, IterationStats */
export class IterationStats {
  readonly #metrics: EngineMetrics;
  readonly #wallPerModelSecond: number;
  /** Number of requests with a sampled token, by adapter; vLLM's metrics cover only these. */
  readonly #adaptersAtWork = new Map<string, number>();
  #generatedInStep = 0;
  #prefilledInStep = 0;

  /**
   * @param wallPerModelSecond Converts times of sequences, on the engine's clock, to wall time for
   * metrics.
   */
  constructor(metrics: EngineMetrics, wallPerModelSecond: number) {
    this.#metrics = metrics;
    this.#wallPerModelSecond = wallPerModelSecond;
  }

  /** Called before a token of the step is sampled. */
  onToken(sequence: GeneratedSequence, nowSeconds: number): void {
    if (!sequence.isPooled) this.#generatedInStep++;
    // A preemption is reported with the request's next token.
    this.#metrics.onPreempted(sequence.seePreemptions());
    if (sequence.output.length === 0) {
      const { promptTokens, cachedTokens, adapter } = sequence;
      this.#prefilledInStep += promptTokens - cachedTokens;
      this.#metrics.onPrefilled(sequence);
      if (adapter && !sequence.isPooled) this.#countAdapter(adapter.name, 1);
    }
    this.#countInterval(sequence, nowSeconds);
  }

  /** Called when a sequence has ended by itself. */
  onFinished(sequence: GeneratedSequence): void {
    this.#countFinished(sequence, sequence.finishReason === 'length' ? 'length' : 'stop');
  }

  /** Called when the engine has ended sequences, between two steps. */
  onAborted(sequences: readonly GeneratedSequence[], nowSeconds: number): void {
    if (sequences.length === 0) return;
    for (const sequence of sequences) {
      this.#countInterval(sequence, nowSeconds);
      this.#countFinished(sequence, 'abort');
    }
    this.#metrics.onIteration(0);
  }

  /** Called when a sequence has left, for any reason. */
  onGone({ output, adapter }: GeneratedSequence): void {
    if (output.length > 0 && adapter) this.#countAdapter(adapter.name, -1);
  }

  /** Called at the end of a step, which may have had no tokens. */
  onStep(): void {
    if (this.#generatedInStep + this.#prefilledInStep === 0) return;
    this.#metrics.onIteration(this.#generatedInStep + this.#prefilledInStep);
    this.#metrics.onGenerated(this.#generatedInStep);
    this.#generatedInStep = 0;
    this.#prefilledInStep = 0;
  }

  /** Called with a new state of the scheduler. */
  onStats(stats: EngineStats): void {
    this.#metrics.onStats(stats, [...this.#adaptersAtWork.keys()]);
  }

  /** Counts the time to the first token, or since the last one. */
  #countInterval(sequence: GeneratedSequence, nowSeconds: number): void {
    const scale = this.#wallPerModelSecond;
    if (sequence.output.length === 0) {
      sequence.firstTokenSeconds = nowSeconds;
      this.#metrics.onFirstToken((nowSeconds - sequence.arrivalSeconds) * scale);
    } else {
      this.#metrics.onLaterToken((nowSeconds - sequence.lastTokenSeconds) * scale);
    }
    sequence.lastTokenSeconds = nowSeconds;
  }

  #countFinished(sequence: GeneratedSequence, reason: 'stop' | 'length' | 'abort'): void {
    const scale = this.#wallPerModelSecond;
    this.#metrics.onFinished({
      reason,
      promptTokens: sequence.promptTokens,
      outputTokens: sequence.output.length,
      maxTokens: sequence.isPooled ? undefined : sequence.maxTokens,
      family: sequence.family,
      cachedTokens: sequence.cachedTokens,
      preemptions: sequence.preemptions,
      arrivalSeconds: sequence.arrivalSeconds * scale,
      admittedSeconds: sequence.admittedSeconds * scale,
      firstTokenSeconds: sequence.firstTokenSeconds * scale,
      lastTokenSeconds: sequence.lastTokenSeconds * scale,
    });
  }

  #countAdapter(name: string, by: 1 | -1): void {
    const count = (this.#adaptersAtWork.get(name) ?? 0) + by;
    if (count > 0) this.#adaptersAtWork.set(name, count);
    else this.#adaptersAtWork.delete(name);
  }
}

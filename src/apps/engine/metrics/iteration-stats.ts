// What vLLM's front end counts of requests while their tokens come, step by step.
import type { EngineStats } from '../../../core/engine/index.ts';
import type { Sequence } from '../sequence.ts';
import type { EngineMetrics } from './engine-metrics.ts';

/** @see vLLM 0.32, v1/metrics/stats.py, IterationStats */
export class IterationStats {
  readonly #metrics: EngineMetrics;
  readonly #wallPerModelSecond: number;
  /** Requests with a token out, by adapter: those that vLLM's metrics know of. */
  readonly #adaptersAtWork = new Map<string, number>();
  #generatedInStep = 0;
  #prefilledInStep = 0;

  /** @param wallPerModelSecond Times of sequences are the engine's, those of metrics the wall's. */
  constructor(metrics: EngineMetrics, wallPerModelSecond: number) {
    this.#metrics = metrics;
    this.#wallPerModelSecond = wallPerModelSecond;
  }

  /** A token of the step is about to be sampled. */
  onToken(sequence: Sequence, nowSeconds: number): void {
    this.#generatedInStep++;
    // A preemption is news that travels with the request's next token.
    this.#metrics.onPreempted(sequence.seePreemptions());
    if (sequence.output.length === 0) {
      const { promptTokens, cachedTokens, adapter } = sequence;
      this.#prefilledInStep += promptTokens - cachedTokens;
      this.#metrics.onPrefilled(sequence);
      if (adapter) this.#countAdapter(adapter.name, 1);
    }
    this.#countInterval(sequence, nowSeconds);
  }

  /** It has ended by itself. */
  onFinished(sequence: Sequence): void {
    this.#countFinished(sequence, sequence.finishReason === 'length' ? 'length' : 'stop');
  }

  /** The engine itself has ended them, between two steps. */
  onAborted(sequences: readonly Sequence[], nowSeconds: number): void {
    if (sequences.length === 0) return;
    for (const sequence of sequences) {
      this.#countInterval(sequence, nowSeconds);
      this.#countFinished(sequence, 'abort');
    }
    this.#metrics.onIteration(0);
  }

  /** It has gone, however. */
  onGone({ output, adapter }: Sequence): void {
    if (output.length > 0 && adapter) this.#countAdapter(adapter.name, -1);
  }

  /** The step is over; it may have had no tokens. */
  onStep(): void {
    if (this.#generatedInStep === 0) return;
    this.#metrics.onIteration(this.#generatedInStep + this.#prefilledInStep);
    this.#metrics.onGenerated(this.#generatedInStep);
    this.#generatedInStep = 0;
    this.#prefilledInStep = 0;
  }

  /** The state of the scheduler is news. */
  onStats(stats: EngineStats): void {
    this.#metrics.onStats(stats, [...this.#adaptersAtWork.keys()]);
  }

  /** The time to the first token, or since the last. */
  #countInterval(sequence: Sequence, nowSeconds: number): void {
    const scale = this.#wallPerModelSecond;
    if (sequence.output.length === 0) {
      sequence.firstTokenSeconds = nowSeconds;
      this.#metrics.onFirstToken((nowSeconds - sequence.arrivalSeconds) * scale);
    } else {
      this.#metrics.onLaterToken((nowSeconds - sequence.lastTokenSeconds) * scale);
    }
    sequence.lastTokenSeconds = nowSeconds;
  }

  #countFinished(sequence: Sequence, reason: 'stop' | 'length' | 'abort'): void {
    const scale = this.#wallPerModelSecond;
    this.#metrics.onFinished({
      reason,
      promptTokens: sequence.promptTokens,
      outputTokens: sequence.output.length,
      maxTokens: sequence.maxTokens,
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

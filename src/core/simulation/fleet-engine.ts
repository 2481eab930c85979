// One engine of a simulated fleet: its model, the step that runs now, and its totals over all restarts,
// since a failure starts it again.
import {
  type EngineConfig,
  type EngineListener,
  EngineModel,
  type EngineRequest,
  type EngineStats,
  type EngineStep,
  type KvConnector,
} from '../engine/index.ts';
import { BusyTime } from './busy-time.ts';
import type { EngineRole } from './disaggregation.ts';
import type { FleetEngineResult } from './fleet-result.ts';
import type { SimulatedEngine } from './simulated-engine.ts';

export interface FleetEngineOptions {
  readonly index: number;
  readonly url: string;
  readonly engine: SimulatedEngine;
  /** Undefined for an engine that prefills and decodes. */
  readonly role: EngineRole | undefined;
  /** Receives its KV events. */
  readonly listener: EngineListener;
  /** @param externalTokens Tokens of `cachedTokens` that are not from its own cache. */
  readonly onAdmitted: (
    request: EngineRequest,
    cachedTokens: number,
    externalTokens: number,
  ) => void;
  /** Called when tokens arrive. */
  readonly onTokens: (request: EngineRequest, atSeconds: readonly number[]) => void;
}

export class FleetEngine {
  readonly index: number;
  readonly url: string;
  isUp = true;
  readonly #options: FleetEngineOptions;
  #model: EngineModel;
  #connector: KvConnector | undefined;
  #step: EngineStep | undefined;
  readonly #busy = new BusyTime();
  #computedTokens = 0;
  /** Counters of the models that failed. */
  readonly #past = {
    ...{ requests: 0, cached: 0, external: 0, restored: 0, output: 0 },
    ...{ preemptions: 0, afterPreemption: 0, afterEviction: 0 },
  };

  constructor(options: FleetEngineOptions) {
    this.#options = options;
    this.index = options.index;
    this.url = options.url;
    this.#model = this.#newModel();
  }

  /** The tiers below its cache; a restart replaces them. */
  get connector(): KvConnector | undefined {
    return this.#connector;
  }

  get config(): EngineConfig {
    return this.#model.config;
  }

  get stats(): EngineStats {
    return this.#model.stats;
  }

  get hasStep(): boolean {
    return this.#step !== undefined;
  }

  /** When its step ends, or, without one, a transfer that a request waits for; otherwise Infinity. */
  get dueSeconds(): number {
    return this.#step?.endSeconds ?? this.#model.wakeSeconds;
  }

  add(request: EngineRequest, nowSeconds: number): void {
    this.#model.cutRun(nowSeconds);
    this.#model.add(request);
  }

  /** Removes a request in any state. */
  abort(id: string, nowSeconds: number): void {
    this.#model.cutRun(nowSeconds);
    this.#model.abort(id);
  }

  /** Starts a step, unless one runs or there is nothing to do. */
  startStep(nowSeconds: number): void {
    this.#step ??= this.#model.scheduleRun(nowSeconds);
  }

  /** Its step, or run of steps, is done. @param onToken Called with the last token of each request. */
  endStep(
    lastArrivalSeconds: number,
    onToken: (request: EngineRequest, outputIndex: number, engine: number) => void,
  ): void {
    const step = this.#step as EngineStep;
    this.#step = undefined;
    const { startSeconds, endsSeconds } = step;
    this.#busy.add(startSeconds, endsSeconds, lastArrivalSeconds);
    this.#model.complete(step, (request, outputIndex) => {
      this.#options.onTokens(request, endsSeconds);
      onToken(request, outputIndex, this.index);
      return false;
    });
  }

  /** Everything that it held is lost; a new model replaces it. */
  fail(nowSeconds: number, lastArrivalSeconds: number): void {
    const { stats } = this.#model;
    this.#past.requests += stats.finished;
    this.#past.cached += stats.prefixCacheHits;
    this.#past.external += stats.externalCacheHits;
    this.#past.restored += stats.restoredTokens;
    this.#past.output += stats.outputTokens;
    this.#past.preemptions += stats.preemptions;
    this.#past.afterPreemption += stats.recomputedAfterPreemption;
    this.#past.afterEviction += stats.recomputedAfterEviction ?? 0;
    if (this.#step) this.#loseStep(this.#step, nowSeconds, lastArrivalSeconds);
    this.#step = undefined;
    this.#model = this.#newModel();
  }

  result(lastArrivalSeconds: number): FleetEngineResult {
    const { stats } = this.#model;
    const past = this.#past;
    return {
      role: this.#options.role,
      requests: past.requests + stats.finished,
      computedTokens: this.#computedTokens,
      cachedTokens: past.cached + stats.prefixCacheHits,
      externalTokens: past.external + stats.externalCacheHits,
      restoredTokens: past.restored + stats.restoredTokens,
      recomputedAfterPreemption: past.afterPreemption + stats.recomputedAfterPreemption,
      recomputedAfterEviction:
        stats.recomputedAfterEviction === undefined
          ? undefined
          : past.afterEviction + stats.recomputedAfterEviction,
      tiers: stats.tiers,
      outputTokens: past.output + stats.outputTokens,
      preemptions: past.preemptions + stats.preemptions,
      utilization: this.#busy.shareUntil(lastArrivalSeconds),
    };
  }

  /** The tokens of a run before the step that computes now have arrived; that step yields none. */
  #loseStep(step: EngineStep, nowSeconds: number, lastArrivalSeconds: number): void {
    this.#model.cutRun(nowSeconds);
    const over = step.endsSeconds.slice(0, -1);
    this.#busy.add(step.startSeconds, [...over, nowSeconds], lastArrivalSeconds);
    for (const request of step.requests) {
      this.#options.onTokens(request, over);
      this.#past.output += over.length;
    }
  }

  #newModel(): EngineModel {
    const { index, engine, listener, onAdmitted } = this.#options;
    const { config, cost, createConnector } = engine;
    const admitted: EngineListener['admitted'] = (request, cachedTokens, _now, externalTokens) => {
      this.#computedTokens += request.promptTokens - cachedTokens;
      onAdmitted(request, cachedTokens, externalTokens);
    };
    const connector = createConnector?.(index);
    this.#connector = connector;
    const { countsEvicted } = engine;
    return new EngineModel({
      ...{ config, cost, listener: { ...listener, admitted }, connector, countsEvicted },
    });
  }
}

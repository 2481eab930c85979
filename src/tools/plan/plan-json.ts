// The plan for programs: keys in camelCase as the input's, shares as fractions, times in milliseconds.

import { pricePerMillionTokens } from './figures.ts';
import { gateShell } from './gate-line.ts';
import type { Gain, Plan, Scenario } from './plan.ts';

/** One JSON object. `decision`, `refusals`, `rejects` are the rules'; `impact` is the simulation's. */
export function planJson(plan: Plan): object {
  const { decision, layout, thresholds, impact } = plan;
  const { memory } = layout;
  return {
    stands: decision.stands,
    meets: {
      budget: meets(plan, 'budget'),
      load: meets(plan, 'load'),
      goals: meets(plan, 'goals'),
    },
    shortfalls: plan.shortfalls,
    decision: {
      stack: decision.stack,
      stackBecause: decision.stackBecause,
      kvOffload: decision.kvOffload,
      kvOffloadBecause: decision.kvOffloadBecause,
      engines: plan.engines,
      gpu: layout.gpu.name,
      gpusPerEngine: layout.gpusPerEngine,
      model: layout.model.name,
    },
    refusals: decision.refusals,
    rejects: decision.rejects,
    thresholds: { ...thresholds, overridden: plan.overridden },
    facts: plan.facts,
    sizing: {
      engines: plan.engines,
      gpusPerEngine: layout.gpusPerEngine,
      tensorParallelSize: layout.tensorParallelSize,
      pipelineParallelSize: layout.pipelineParallelSize,
      parallelBecause: layout.parallelBecause,
      maxModelLen: layout.config.maxModelLen,
      maxNumSeqs: plan.maxNumSeqs,
      kvCacheDtype: impact.kvDtype.dtype,
      kvCacheDtypeRecommended: impact.kvDtype.recommended,
      kvCacheDtypeBecause: impact.kvDtype.because,
      kvCacheDtypeGain: impact.kvDtype.gain ?? null,
      disaggregation: plan.disaggregation,
      autoscaling: plan.autoscaling,
      pricePerHour: layout.pricePerHour === undefined ? null : layout.pricePerHour * plan.engines,
      pricePerMillionOutputTokens:
        pricePerMillionTokens(impact.planned.pricePerHour, impact.planned.throughput.mean) ?? null,
    },
    kvOffload: { kind: decision.kvOffload, hostGiBPerEngine: plan.offloadGiB },
    hbm: {
      gpuMemoryUtilization: layout.gpuMemoryUtilization,
      gpuMemoryBytes: layout.gpu.memoryBytes ?? null,
      weightBytes: memory?.weightBytes ?? null,
      activationBytes: memory ? memory.activationBytes + memory.logitsBytes : null,
      fixedBytes: memory?.fixedBytes ?? null,
      kvCacheBytes: memory?.kvCacheBytes ?? null,
      headroomBytes: memory?.headroomBytes ?? null,
      kvCacheTokens: layout.kvTokens,
      workingSet: impact.workingSet,
      alert: {
        metric: 'vllm:kv_cache_usage_perc',
        threshold: thresholds.hbmUtilization,
        sustainedSeconds: thresholds.hbmSustainedSeconds,
      },
    },
    router: {
      policy: plan.routing.policy,
      because: plan.routing.because,
      simulated: plan.routing.simulated,
      alternatives: plan.routing.alternatives,
      kvEvents: decision.stack === 'production-stack',
    },
    observability: {
      scrape: { perEngine: true, path: '/metrics', intervalSeconds: 15 },
      otel: [
        'gen_ai.system',
        'gen_ai.provider.name',
        'gen_ai.operation.name',
        'gen_ai.request.model',
        'gen_ai.usage.input_tokens',
        'gen_ai.usage.output_tokens',
        'gen_ai.response.finish_reasons',
      ],
      dashboards: decision.stack === 'production-stack' ? ['production-stack'] : ['vllm'],
    },
    impact: {
      planned: scenarioJson(impact.planned),
      baseline: scenarioJson(impact.baseline),
      native: scenarioJson(impact.native),
      lmcache: scenarioJson(impact.lmcache),
      today: impact.today ? scenarioJson(impact.today) : null,
      gains: {
        native: impact.gains.native,
        lmcache: impact.gains.lmcache,
        overToday: impact.gains.overToday ?? null,
        predictiveRouting: impact.predictiveRouting ?? null,
        byRouting: impact.gainsByRouting,
      },
      purchases: impact.purchases.map(({ what, gain, pricePerHour }) => ({
        what,
        gain: gain satisfies Gain,
        pricePerHour: pricePerHour ?? null,
      })),
      apart: impact.apart
        ? {
            prefillEngines: impact.apart.prefillEngines,
            link: impact.apart.link,
            scenario: scenarioJson(impact.apart.scenario),
            gain: impact.apart.gain satisfies Gain,
          }
        : null,
      disagreement: impact.disagreement ?? null,
      workingSet: impact.workingSet,
      runs: impact.runs,
      seed: impact.seed,
      reference: {
        source: 'llm-d guides/tiered-prefix-cache, 16 × H100, Qwen3-32B',
        kvBeyondHbm: { native: 0.213, lmcache: 0.217 },
        kvFitsHbm: { native: -0.015, lmcache: -0.026 },
      },
    },
    gate: {
      metric: 'vllm:kv_cache_usage_perc',
      quantile: 0.99,
      windowHours: 24,
      max: thresholds.hbmUtilization,
      command: gateShell(plan),
    },
    rejectedOptions: plan.rejectedOptions,
    warnings: plan.warnings,
    assumptions: plan.assumptions,
  };
}

function meets({ shortfalls }: Plan, what: Plan['shortfalls'][number]['of']): boolean {
  return shortfalls.every(({ of }) => of !== what);
}

function scenarioJson(scenario: Scenario): object {
  const { pricePerHour, throughput } = scenario;
  return {
    ...scenario,
    pricePerHour: pricePerHour ?? null,
    pricePerMillionOutputTokens: pricePerMillionTokens(pricePerHour, throughput.mean) ?? null,
  };
}

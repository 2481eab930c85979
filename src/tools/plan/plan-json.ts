// The plan as JSON: camelCase keys as in the input, shares as fractions, times in milliseconds.
import { chartCovers, chartLacks, measuredOffload } from '../../core/plan/index.ts';
import { pricePerMillionTokens } from './figures.ts';
import { gateShell } from './gate-line.ts';
import type { Plan } from './plan.ts';
import type { Gain, Scenario } from './scenario.ts';
import { customResources, leftOut, operatorKinds } from './sections.ts';
import { hostMemory, transferBreakEven } from './transfer.ts';

/** Returns one JSON object. `decision`, `refusals` and `rejects` come from the rules, `impact` from simulation. */
export function planJson(plan: Plan): object {
  const { decision, layout, thresholds, impact } = plan;
  const { memory } = layout;
  const scenario = (one: Scenario) => scenarioJson(one, hasGoals(plan));
  return {
    stands: decision.stands,
    // The plan and its values file have the offload that its figures support, so neither differs from the advice.
    advised: true,
    advice: null,
    meets: {
      budget: meets(plan, 'budget'),
      load: meets(plan, 'load'),
      goals: meets(plan, 'goals'),
      needs: meets(plan, 'needs'),
    },
    shortfalls: plan.shortfalls,
    decision: {
      stack: decision.stack,
      stackBecause: decision.stackBecause,
      kvOffload: decision.kvOffload,
      kvOffloadBecause: decision.kvOffloadBecause,
      kvOffloadDisagreement: plan.offload.disagreement ?? null,
      kvOffloadLeftOut: leftOut(plan) ?? null,
      engines: plan.engines,
      gpu: layout.gpu.name,
      gpusPerEngine: layout.gpusPerEngine,
      model: layout.model.name,
      chart: { covers: chartCovers(plan.facts), lacks: chartLacks(plan.facts) },
      customResources: decision.stack === 'single-engine' ? [] : customResources(plan),
      operatorKinds: decision.stack === 'single-engine' ? [] : operatorKinds(plan),
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
      maxNumSeqs: layout.config.maxNumSeqs,
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
    kvOffload: {
      kind: decision.kvOffload,
      hostGiBPerEngine: plan.offloadGiB,
      hostMemory:
        decision.kvOffload === 'none'
          ? null
          : hostMemory(
              plan.offloadGiB,
              plan.engines,
              impact.gains[decision.kvOffload].throughput.mean,
            ),
      transferBreakEven: transferBreakEvenJson(plan),
    },
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
      kvEvents: decision.stack !== 'single-engine',
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
      dashboards: decision.stack !== 'single-engine' ? ['production-stack'] : ['vllm'],
    },
    impact: {
      planned: scenario(impact.planned),
      baseline: scenario(impact.baseline),
      native: scenario(impact.native),
      lmcache: scenario(impact.lmcache),
      today: impact.today ? scenario(impact.today) : null,
      gains: {
        native: impact.gains.native,
        lmcache: impact.gains.lmcache,
        overToday: impact.gains.overToday ?? null,
        otherRouting: impact.otherRouting ?? null,
        byRouting: impact.gainsByRouting,
      },
      purchases: impact.purchases.map(({ what, gain, pricePerHour }) => ({
        what,
        gain: gain satisfies Gain,
        pricePerHour: pricePerHour ?? null,
      })),
      disaggregated: impact.disaggregated
        ? {
            prefillEngines: impact.disaggregated.prefillEngines,
            link: impact.disaggregated.link,
            scenario: scenario(impact.disaggregated.scenario),
            gain: impact.disaggregated.gain satisfies Gain,
          }
        : null,
      workingSet: impact.workingSet,
      runs: impact.runs,
      seed: impact.seed,
      reference: {
        source: 'llm-d guides/tiered-prefix-cache, 16 × H100, Qwen3-32B',
        kvBeyondHbm: { native: 0.213, lmcache: 0.217 },
        kvFitsHbm: { native: -0.015, lmcache: -0.026 },
        measured: measuredOffload,
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

function transferBreakEvenJson({ layout }: Plan): object {
  const { hostTokens, storeTokens, ...rates } = transferBreakEven(layout);
  return { hostTokens: hostTokens ?? null, storeTokens: storeTokens ?? null, ...rates };
}

/** Whether goodput is meaningful: without goals every request meets them. */
function hasGoals({ input: { slo } }: Plan): boolean {
  return Object.values(slo).some((goal) => goal !== undefined);
}

function scenarioJson(scenario: Scenario, hasGoals: boolean): object {
  const { pricePerHour, throughput } = scenario;
  return {
    ...scenario,
    goodput: hasGoals ? scenario.goodput : null,
    pricePerHour: pricePerHour ?? null,
    pricePerMillionOutputTokens: pricePerMillionTokens(pricePerHour, throughput.mean) ?? null,
  };
}

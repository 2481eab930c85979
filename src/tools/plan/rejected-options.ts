// What was not taken, with what it would cost and where it would begin to pay.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { change, dollars, number, percent } from './figures.ts';
import type { EngineLayout } from './layout.ts';
import type { Plan, RejectedOption } from './plan.ts';

type Draft = Omit<Plan, 'rejectedOptions' | 'shortfalls' | 'warnings' | 'assumptions'>;

/** Least share of a fleet's tokens that overhead takes where offload gives nothing (lesson 17·18). */
const overheadText = '3 to 5 %';
/** One line for each option that lost, in numbers. */
export function rejectedOptions(draft: Draft, offloadGiB: number): RejectedOption[] {
  const { decision, impact, layout, engines } = draft;
  const { kvOffload, stack } = decision;
  const options: RejectedOption[] = [];
  const gains = { native: impact.gains.native, lmcache: impact.gains.lmcache };
  const set = `the working set is ${percent(impact.workingSet)} of HBM's KV cache`;
  const distance =
    impact.workingSet > 1
      ? `${set}, more than it holds`
      : `${set}, and a tier begins to pay above 100 %`;
  if (kvOffload !== 'none') {
    const gain = gains[kvOffload];
    options.push({
      option: 'no offload',
      because: `against the plan it would be ${change(1 / (1 + gain.throughput.mean) - 1)} tokens/s; ${distance}`,
    });
  }
  for (const kind of ['native', 'lmcache'] as const) {
    if (kvOffload === kind) continue;
    const gain = gains[kind];
    const memory = `${number(offloadGiB)} GiB of host memory per engine`;
    options.push({
      option: kind === 'native' ? 'native CPU offload' : 'LMCache',
      because: `${memory}${kind === 'lmcache' ? ' and a shared store' : ''} for ${change(gain.throughput.mean)} tokens/s; ${distance}; where a tier finds nothing, it costs ${overheadText}`,
    });
  }
  options.push({ option: 'a disk tier', because: diskLine(layout) });
  if (stack === 'production-stack') {
    const alone = impact.planned.throughput.mean / engines;
    options.push({
      option: 'single-engine vLLM + simple proxy',
      because: `one engine gives about ${number(alone)} of the ${number(impact.planned.throughput.mean)} tokens/s; it is enough below ${percent(1 / engines)} of this load`,
    });
    options.push({
      option: 'a hand-rolled stack',
      because:
        'the chart renders what would have to be built: discovery, probes, router, dashboards, autoscaling',
    });
  } else {
    options.push({
      option: 'the production stack',
      because:
        'it needs Kubernetes; with it, engines can be added one by one behind the same router',
    });
  }
  if (draft.disaggregation.advised === false) {
    options.push({ option: 'prefill and decode apart', because: draft.disaggregation.because });
  }
  const { pricePerHour } = layout;
  if (pricePerHour !== undefined && stack === 'production-stack') {
    options.push({
      option: 'one engine more now',
      because: `${dollars(pricePerHour)} an hour for ${change(impact.purchases.find(({ what }) => what === 'one more engine')?.gain.throughput.mean ?? 0)} tokens/s`,
    });
  }
  return options;
}

/** Sequential reads of a data-centre NVMe disk, as makers give them for PCIe 4.0. */
const diskBytesPerSecond = 7e9;

/** A tier pays only if it reads faster than the engine computes. */
function diskLine(layout: EngineLayout): string {
  const bytesPerToken = kvBytesPerToken(layout.model);
  const prefill = prefillTokensPerSecond(layout);
  const needed = bytesPerToken * prefill;
  const verdict =
    needed > diskBytesPerSecond
      ? 'slower than computing again'
      : 'just faster than computing again';
  return (
    `an NVMe disk reads ${number(diskBytesPerSecond / 1e9)} GB/s, and this engine computes ${number(prefill)} prompt tokens/s of ` +
    `${number(bytesPerToken / 1024)} KiB each, ${number(needed / 1e9)} GB/s: ${verdict}`
  );
}

/** Of one full step of a single long prompt. */
export function prefillTokensPerSecond({ cost, config }: EngineLayout): number {
  const tokens = config.maxNumBatchedTokens;
  const seconds = cost.stepSeconds({
    ...{ sequences: 1, tokens, prefillTokens: tokens, prefillTokenContext: 0 },
    ...{ prefillTokensSquared: tokens ** 2, decodeSequences: 0, decodeContextTokens: 0 },
  });
  return tokens / seconds;
}

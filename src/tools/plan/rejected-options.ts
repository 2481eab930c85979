// Rejected options with their cost and break-even.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { chartCovers, chartLacksText } from '../../core/plan/index.ts';
import { dollars, number, roundChange, roundPercent } from '../report/index.ts';
import type { EngineLayout } from './layout.ts';
import type { Plan, RejectedOption } from './plan.ts';
import { breakEvenText, offloadNames } from './settle-offload.ts';
import { prefillTokensPerSecond } from './transfer.ts';

type Draft = Omit<Plan, 'rejectedOptions' | 'shortfalls' | 'warnings' | 'assumptions'>;

/** Overhead of offload without hits, as a share of the throughput (lesson 17·18). */
const overheadText = '3 to 5 %';
/** Returns one line with figures for each rejected option. */
export function rejectedOptions(draft: Draft, offloadGiB: number): RejectedOption[] {
  const { decision, impact, layout, engines } = draft;
  const { kvOffload, stack } = decision;
  const options: RejectedOption[] = [];
  const gains = { native: impact.gains.native, lmcache: impact.gains.lmcache };
  const distance = breakEvenText(impact.workingSet);
  if (kvOffload !== 'none') {
    const gain = gains[kvOffload];
    options.push({
      option: 'no offload',
      because: `compared with the plan it gives ${roundChange(1 / (1 + gain.throughput.mean) - 1)} tokens/s; ${distance}`,
    });
  }
  for (const kind of ['native', 'lmcache'] as const) {
    if (kvOffload === kind) continue;
    const gain = gains[kind];
    const memory = `${number(offloadGiB)} GiB of host memory per engine`;
    options.push({
      option: offloadNames[kind],
      because: `${memory}${kind === 'lmcache' ? ' and a shared store' : ''} for ${roundChange(gain.throughput.mean)} tokens/s; ${distance}; without hits a tier costs ${overheadText}`,
    });
  }
  options.push({ option: 'a disk tier', because: diskLine(layout) });
  if (stack !== 'single-engine') {
    const alone = impact.planned.throughput.mean / engines;
    options.push({
      option: 'single-engine vLLM + simple proxy',
      because:
        engines === 1
          ? 'it serves this load as well; the chart adds probes, monitoring and a second engine without a change for clients'
          : `one engine gives about ${number(alone)} of the ${number(impact.planned.throughput.mean)} tokens/s; it is enough below ${roundPercent(1 / engines)} of this load`,
    });
    options.push(
      stack === 'own-stack'
        ? {
            option: 'the production stack',
            because: chartLacksText(draft.facts),
          }
        : {
            option: 'a stack of your own',
            because: `the chart has ${chartCovers(draft.facts).join(', ')}`,
          },
    );
  } else {
    options.push({
      option: 'the production stack',
      because:
        'it needs Kubernetes; with Kubernetes, engines can be added one by one behind the same router',
    });
  }
  if (draft.disaggregation.advised === false) {
    options.push({
      option: 'disaggregated prefill and decode',
      because: draft.disaggregation.because,
    });
  }
  const { pricePerHour } = layout;
  if (pricePerHour !== undefined && stack !== 'single-engine') {
    options.push({
      option: 'one more engine now',
      because: `${dollars(pricePerHour)} per hour for ${roundChange(impact.purchases.find(({ what }) => what === 'one more engine')?.gain.throughput.mean ?? 0)} tokens/s`,
    });
  }
  return options;
}

/** Sequential read bandwidth of a data-centre NVMe disk on PCIe 4.0, according to data sheets. */
const diskBytesPerSecond = 7e9;

/** Compares a disk with recomputing; a tier pays only if it reads faster. */
function diskLine(layout: EngineLayout): string {
  const bytesPerToken = kvBytesPerToken(layout.model);
  const prefill = prefillTokensPerSecond(layout);
  const needed = bytesPerToken * prefill;
  const verdict =
    needed > diskBytesPerSecond
      ? 'slower than recomputing'
      : 'only slightly faster than recomputing';
  return (
    `an NVMe disk reads ${number(diskBytesPerSecond / 1e9)} GB/s, and this engine computes ${number(prefill)} prompt tokens/s of ` +
    `${number(bytesPerToken / 1024)} KiB each, ${number(needed / 1e9)} GB/s: ${verdict}`
  );
}

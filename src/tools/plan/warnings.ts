// What a reader of the plan must know before running it.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { number, percent } from './figures.ts';
import type { Plan } from './plan.ts';

type Draft = Omit<Plan, 'rejectedOptions' | 'warnings' | 'assumptions'>;

/** Hit rate below which vLLM's notes on offload speak of a low one. */
const lowHitRate = 0.2;

export function planWarnings(draft: Draft): string[] {
  const { decision, impact, layout, offloadGiB, input, engines } = draft;
  const warnings: string[] = [];
  const { planned } = impact;
  const { budgetPerHour } = input.operations;
  const price = layout.pricePerHour === undefined ? undefined : layout.pricePerHour * engines;
  if (budgetPerHour !== undefined && price !== undefined && price > budgetPerHour) {
    warnings.push(
      `The budget of $${budgetPerHour.toFixed(2)} an hour is too small: ${engines} engines cost $${price.toFixed(2)}.`,
    );
  }
  if (planned.isOverloaded) {
    warnings.push(
      'OVERLOADED: requests come faster than this fleet answers them; its latencies grow for as long as that lasts.',
    );
  }
  const { ttftMs, tpotMs, e2eMs } = input.slo;
  const misses = [
    { name: 'TTFT', goal: ttftMs, is: planned.ttftMs.mean },
    { name: 'TPOT', goal: tpotMs, is: planned.tpotMs.mean },
    { name: 'E2E', goal: e2eMs, is: planned.e2eMs.mean },
  ].filter(({ goal, is }) => goal !== undefined && is > goal);
  for (const { name, goal, is } of misses) {
    warnings.push(
      `The mean ${name} of ${number(is)} ms misses the goal of ${number(goal ?? 0)} ms.`,
    );
  }
  if (decision.kvOffload !== 'none') {
    const bytes = layout.kvTokens * kvBytesPerToken(layout.model);
    const mirror = offloadGiB * 2 ** 30;
    if (mirror <= bytes) {
      warnings.push(
        `${number(offloadGiB)} GiB of host memory hold no more than HBM's ${number(bytes / 2 ** 30)} GiB of KV cache: a private mirror of that size gains nothing; raise operations.hostDramGiB.`,
      );
    }
    if (planned.hitRate.mean < lowHitRate) {
      warnings.push(
        `With ${percent(planned.hitRate.mean)} of the prompt tokens cached, offload with custom kernels can lower throughput (vLLM's notes on its offloading connector).`,
      );
    }
    warnings.push(
      'Asynchronous scheduling with speculative decoding has known faults beside KV offload (vLLM 0.11 notes): keep one of them off.',
    );
  }
  return warnings;
}

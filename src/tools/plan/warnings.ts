// Warnings that a plan prints.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { number, roundPercent } from '../report/index.ts';
import type { Plan } from './plan.ts';

type Draft = Omit<Plan, 'rejectedOptions' | 'shortfalls' | 'warnings' | 'assumptions'>;

/** Hit rate that counts as low in vLLM's notes on offload. */
const lowHitRate = 0.2;

export function planWarnings(draft: Draft): string[] {
  const { decision, impact, layout, offloadGiB } = draft;
  const warnings: string[] = [];
  const { planned } = impact;
  if (decision.kvOffload !== 'none') {
    const bytes = layout.kvTokens * kvBytesPerToken(layout.model);
    const mirror = offloadGiB * 2 ** 30;
    if (mirror <= bytes) {
      warnings.push(
        `${number(offloadGiB)} GiB of host memory are no more than HBM's ${number(bytes / 2 ** 30)} GiB of KV cache: a private mirror of that size gains nothing; raise operations.hostDramGiB.`,
      );
    }
    if (planned.hitRate.mean < lowHitRate) {
      warnings.push(
        `With ${roundPercent(planned.hitRate.mean)} of the prompt tokens cached, offload with custom kernels can lower throughput (vLLM's notes on its offloading connector).`,
      );
    }
    warnings.push(
      'Asynchronous scheduling with speculative decoding has known faults in combination with KV offload (vLLM 0.11 notes): disable one of them.',
    );
  }
  return warnings;
}

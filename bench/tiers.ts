// The 16 × H100 experiment of llm-d's tiered-prefix-cache guide, repeated: eight engines of two GPUs,
// Qwen3-32B, 45 clients, 45 system prompts with 10 questions each, without offload, with native offload
// and with LMCache.
//
//   node bench/tiers.ts [--passes N] [--system 30000,8000] [--kinds none,native,lmcache] [--json]
import { parseArgs } from 'node:util';
import { type OffloadKind, playTierExperiment, type TierOutcome } from './truth/tier-experiment.ts';

/** As the guide prints them: TTFT mean and p90, E2E mean, seconds; tokens per second. */
const published: Readonly<Record<string, readonly [number, number, number, number]>> = {
  '30000 none': [9.0, 20.9, 37.8, 38_534.8],
  '30000 native': [6.7, 20.2, 30.9, 46_751],
  '30000 lmcache': [6.5, 18.8, 30.8, 46_910.6],
  '8000 none': [0.12, 0.09, 18.4, 23_389.6],
  '8000 native': [0.13, 0.11, 18.6, 23_032.6],
  '8000 lmcache': [0.15, 0.1, 18.9, 22_772.5],
};

const { values } = parseArgs({
  options: {
    passes: { type: 'string', default: '3' },
    system: { type: 'string', default: '30000,8000' },
    kinds: { type: 'string', default: 'none,native,lmcache' },
    json: { type: 'boolean', default: false },
  },
});

if (!values.json) {
  console.log('| system prompt | offload | TTFT mean s | p90 | E2E mean s | tok/s | gain |');
  console.log('|--:|---|--:|--:|--:|--:|--:|');
}
for (const system of values.system.split(',').map(Number)) {
  let without: TierOutcome | undefined;
  for (const kind of values.kinds.split(',') as OffloadKind[]) {
    const outcome = playTierExperiment({ system, kind, passes: Number(values.passes) });
    without ??= outcome;
    if (values.json) {
      console.log(JSON.stringify({ system, kind, ...outcome }));
      continue;
    }
    const [ttft, p90, e2e, rate] = published[`${system} ${kind}`] ?? [NaN, NaN, NaN, NaN];
    const [, , , base] = published[`${system} none`] ?? [NaN, NaN, NaN, NaN];
    const both = (ours: number, theirs: number, digits: number) =>
      `${ours.toFixed(digits)} (${theirs.toFixed(digits)})`;
    const cells = [
      ...[String(system), kind, both(outcome.ttftSeconds, ttft, 2)],
      ...[both(outcome.p90TtftSeconds, p90, 2), both(outcome.e2eSeconds, e2e, 1)],
      both(outcome.tokensPerSecond, rate, 0),
      `${gain(outcome.tokensPerSecond, without.tokensPerSecond)} (${gain(rate, base)})`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

function gain(value: number, base: number): string {
  const share = (value / base - 1) * 100;
  return `${share >= 0 ? '+' : ''}${share.toFixed(1)} %`;
}

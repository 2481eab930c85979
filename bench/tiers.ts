// Repeats the 16 × H100 experiment of llm-d's tiered-prefix-cache guide: eight engines of two GPUs,
// Qwen3-32B, 45 clients, 45 system prompts with 10 questions each, without offload, with native
// offload and with LMCache. Reports means over seeds, because single runs differ widely.
//
//   node bench/tiers.ts [--seeds N] [--system 30000,8000] [--kinds none,native,lmcache] [--requests N]
//     [--block-size N] [--json]
//   node bench/tiers.ts --fit      fits the constants to the rows without offload
import { parseArgs } from 'node:util';
import {
  fittedConstants,
  type OffloadKind,
  playTierExperiment,
  type TierConstants,
  type TierExperiment,
  type TierOutcome,
} from './truth/tier-experiment.ts';

type Published = Pick<
  TierOutcome,
  'ttftSeconds' | 'p90TtftSeconds' | 'e2eSeconds' | 'p90E2eSeconds' | 'tokensPerSecond'
>;

/** As printed in the guide. */
const published: Readonly<Record<string, Published>> = {
  '30000 none': row(9.0, 20.9, 37.8, 49.7, 38_534.8),
  '30000 native': row(6.7, 20.2, 30.9, 44.2, 46_751),
  '30000 lmcache': row(6.5, 18.8, 30.8, 43.0, 46_910.6),
  '8000 none': row(0.12, 0.09, 18.4, 19.6, 23_389.6),
  '8000 native': row(0.13, 0.11, 18.6, 20.6, 23_032.6),
  '8000 lmcache': row(0.15, 0.1, 18.9, 19.6, 22_772.5),
};

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    system: { type: 'string', default: '30000,8000' },
    kinds: { type: 'string', default: 'none,native,lmcache' },
    requests: { type: 'string' },
    'block-size': { type: 'string', default: '16' },
    json: { type: 'boolean', default: false },
    fit: { type: 'boolean', default: false },
  },
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const systems = values.system.split(',').map(Number);
const common = {
  blockSize: Number(values['block-size']),
  ...(values.requests === undefined ? {} : { requests: Number(values.requests) }),
};

if (values.fit) fit();
else table();

function table(): void {
  if (!values.json) {
    console.log(
      '| system prompt | offload | TTFT mean s | p90 | E2E mean s | p90 | tok/s | gain, seeds from to |',
    );
    console.log('|--:|---|--:|--:|--:|--:|--:|--:|');
  }
  for (const system of systems) {
    let base: readonly TierOutcome[] | undefined;
    for (const kind of values.kinds.split(',') as OffloadKind[]) {
      const outcomes = play({ system, kind });
      base ??= outcomes;
      const cell = `${system} ${kind}`;
      const theirs = published[cell];
      if (values.json || theirs === undefined) {
        console.log(JSON.stringify({ cell, ...meanOf(outcomes), outcomes }));
        continue;
      }
      const ours = meanOf(outcomes);
      const both = (key: keyof Published, digits: number) =>
        `${ours[key].toFixed(digits)} (${theirs[key].toFixed(digits)})`;
      const digits = theirs.ttftSeconds < 1 ? 2 : 1;
      const gains = outcomes.map(({ tokensPerSecond }, i) =>
        gain(tokensPerSecond, (base as readonly TierOutcome[])[i]?.tokensPerSecond as number),
      );
      const theirGain = gain(
        theirs.tokensPerSecond,
        (published[`${system} none`] as Published).tokensPerSecond,
      );
      const ourGain = gain(ours.tokensPerSecond, meanOf(base).tokensPerSecond);
      const cells = [
        ...[String(system), kind, both('ttftSeconds', digits), both('p90TtftSeconds', digits)],
        ...[both('e2eSeconds', 1), both('p90E2eSeconds', 1), both('tokensPerSecond', 0)],
        kind === 'none'
          ? ''
          : `${percent(ourGain)} (${percent(theirGain)}), ${percent(Math.min(...gains))} ${percent(Math.max(...gains))}`,
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

/** Fits one constant after the other, twice, each to the least error of both rows without offload. */
function fit(): void {
  let best: TierConstants = fittedConstants;
  let least = errorOf(best);
  const tried: Readonly<Record<keyof TierConstants, readonly number[]>> = {
    memory: [0.78, 0.8, 0.82],
    prefill: [0.32, 0.36, 0.4, 0.44],
    serverSecondsPerToken: [3e-6, 4e-6, 5e-6],
  };
  for (let round = 0; round < 2; round++) {
    for (const key of Object.keys(tried) as (keyof TierConstants)[]) {
      for (const value of tried[key]) {
        if (value === best[key]) continue;
        const constants = { ...best, [key]: value };
        const error = errorOf(constants);
        if (error < least) [best, least] = [constants, error];
      }
      console.log(`${JSON.stringify(best)}: ${(least * 100).toFixed(2)} %`);
    }
  }
}

/** Root mean square of the relative errors of TTFT, E2E and tok/s. */
function errorOf(constants: TierConstants): number {
  const errors = systems.flatMap((system) => {
    const ours = meanOf(play({ system, kind: 'none', constants }));
    const theirs = published[`${system} none`] as Published;
    return (['ttftSeconds', 'e2eSeconds', 'tokensPerSecond'] as const).map((key) =>
      Math.log(ours[key] / theirs[key]),
    );
  });
  return Math.hypot(...errors) / Math.sqrt(errors.length);
}

function play(options: Pick<TierExperiment, 'system' | 'kind' | 'constants'>): TierOutcome[] {
  return seeds.map((seed) => playTierExperiment({ ...common, ...options, seed }));
}

function meanOf(outcomes: readonly TierOutcome[]): TierOutcome {
  const of = (key: keyof TierOutcome) =>
    outcomes.reduce((sum, outcome) => sum + outcome[key], 0) / outcomes.length;
  const keys = Object.keys(outcomes[0] as TierOutcome) as (keyof TierOutcome)[];
  return Object.fromEntries(keys.map((key) => [key, of(key)])) as unknown as TierOutcome;
}

function row(...[ttft, p90, e2e, p90E2e, rate]: [number, number, number, number, number]) {
  return {
    ...{ ttftSeconds: ttft, p90TtftSeconds: p90, e2eSeconds: e2e, p90E2eSeconds: p90E2e },
    tokensPerSecond: rate,
  };
}

function gain(value: number, base: number): number {
  return (value / base - 1) * 100;
}

function percent(value: number): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(1)} %`;
}

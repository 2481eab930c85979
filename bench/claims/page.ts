// The page of the claims: a verdict for each sentence, and the figures it rests on.
import { type Estimate, estimate } from '../../src/core/stats/index.ts';
import { type Load, loads, type Run, setups, simulateCommand, trafficFlags } from './loads.ts';

type Measure = 'ttftMs' | 'e2eMs' | 'itlMs' | 'tokensPerSecond';

interface Claim {
  readonly sentence: string;
  /** What is compared, and on which loads. */
  readonly measures: readonly Measure[];
  readonly on: (load: Load) => boolean;
  readonly where: string;
  /** The gain that the sentence promises at least. */
  readonly leastGain: number;
}

const claims: readonly Claim[] = [
  {
    sentence: 'Responses come 3 to 10 times as fast.',
    measures: ['ttftMs', 'e2eMs'],
    on: () => true,
    where: 'all loads',
    leastGain: 3,
  },
  {
    sentence: 'Throughput is 2 to 5 times as high.',
    measures: ['tokensPerSecond'],
    on: () => true,
    where: 'all loads',
    leastGain: 2,
  },
  {
    sentence: 'Conversations of several turns are 10 times as fast.',
    measures: ['ttftMs', 'e2eMs'],
    on: ({ kind }) => kind === 'multi-turn',
    where: 'the multi-turn loads',
    leastGain: 10,
  },
  {
    sentence: 'Retrieval-augmented generation (RAG) is 10 times as fast.',
    measures: ['ttftMs', 'e2eMs'],
    on: ({ kind }) => kind === 'rag',
    where: 'the RAG loads',
    leastGain: 10,
  },
  {
    sentence: 'At a high request rate, each token comes faster (inter-token latency).',
    measures: ['itlMs'],
    on: () => true,
    where: 'all loads',
    leastGain: 1,
  },
];

const names: Readonly<Record<Measure, string>> = {
  ttftMs: 'mean TTFT',
  e2eMs: 'mean end-to-end time',
  itlMs: 'mean inter-token latency',
  tokensPerSecond: 'output tokens/s',
};

const baselines = ['round robin', 'session'] as const;
const claimed = 'stack';

export function claimsPage(
  runs: readonly Run[],
  { command, commit }: { readonly command: string; readonly commit: string },
): string {
  const played = loads.filter(({ name }) => runs.some(({ load }) => load === name));
  const seeds = [...new Set(runs.map(({ seed }) => seed))];
  const [first] = played;
  return [
    '# Claims about the production stack, on simulated loads',
    '',
    '```',
    command,
    '```',
    '',
    `Commit ${commit}, ${new Date().toISOString().slice(0, 10)}, seeds ${seeds.join(', ')}. Four engines, Llama-3.1-8B on one H100 each, calibrated step`,
    'times, in virtual time ([what the engine model leaves out](../models/engine-model.md)). Gains are ratios, above 1 for',
    'faster or more, with the 95 % interval over the seeds (geometric mean, paired). Multi-round QA and the trace draw',
    'nothing: there the interval covers only chance among equal picks, mostly none. The set-ups:',
    '',
    ...setups.map(({ name, what }) => `- **${name}**: ${what}.`),
    '',
    'A sentence is true of a load if the whole interval of the gain reaches its lower number, open if the interval',
    'contains that number, and otherwise not true.',
    '',
    '## The five sentences',
    '',
    '| sentence | measured by | on | against | true | open | not |',
    '|---|---|---|---|---|---|---|',
    ...claims.flatMap((claim) => verdictRows(runs, played, claim)),
    '',
    ...Object.entries(names).flatMap(([measure]) => table(runs, played, measure as Measure)),
    '## Commands',
    '',
    'Each figure is one command. For example, the first load on two set-ups:',
    '',
    '```',
    ...(first === undefined
      ? []
      : setups
          .filter(({ name }) => name === baselines[0] || name === claimed)
          .map((setup) => simulateCommand(first, setup))),
    '```',
    '',
    'Each load by the flags in which it differs:',
    '',
    '| load | flags |',
    '|---|---|',
    ...played.map((load) => `| ${load.name} | \`${trafficFlags(load)}\` |`),
    '',
  ].join('\n');
}

function verdictRows(runs: readonly Run[], played: readonly Load[], claim: Claim): string[] {
  return claim.measures.flatMap((measure) =>
    baselines.map((baseline) => {
      const told = { yes: [] as string[], open: [] as string[], no: [] as string[] };
      for (const load of played.filter(claim.on)) {
        const gain = gainOf(runs, load, measure, baseline);
        if (gain === undefined) continue;
        const verdict =
          gain.low >= claim.leastGain ? 'yes' : gain.high > claim.leastGain ? 'open' : 'no';
        told[verdict].push(load.name);
      }
      const cells = [claim.sentence, names[measure], claim.where, baseline];
      const lists = [told.yes, told.open, told.no].map((list) =>
        list.length === 0 ? '–' : list.join('; '),
      );
      return `| ${[...cells, ...lists].join(' | ')} |`;
    }),
  );
}

/** One measure on all loads: its means by set-up, and the gains of the stack. */
function table(runs: readonly Run[], played: readonly Load[], measure: Measure): string[] {
  const unit = measure === 'tokensPerSecond' ? '' : ', ms';
  const rows = played.map((load) => {
    const means = setups.map(({ name }) => {
      const own = runs.filter((run) => run.load === load.name && run.setup === name);
      return figure(own.length === 0 ? undefined : estimate(own.map((run) => run[measure])).mean);
    });
    const gains = baselines.map((baseline) => inWords(gainOf(runs, load, measure, baseline)));
    return `| ${[load.name, ...means, ...gains].join(' | ')} |`;
  });
  const heads = [
    ...['load', ...setups.map(({ name }) => name)],
    ...baselines.map((name) => `gain over ${name}`),
  ];
  const title = `${names[measure].charAt(0).toUpperCase()}${names[measure].slice(1)}${unit}`;
  return [
    `## ${title}`,
    '',
    `| ${heads.join(' | ')} |`,
    `|---|${'--:|'.repeat(heads.length - 1)}`,
    ...rows,
    '',
  ];
}

/** The gain of the stack over a baseline, paired by seed; above 1 is better. */
function gainOf(
  runs: readonly Run[],
  { name }: Load,
  measure: Measure,
  baseline: string,
): Estimate | undefined {
  const of = (setup: string, seed: number) =>
    runs.find((run) => run.load === name && run.setup === setup && run.seed === seed)?.[measure];
  const seeds = [...new Set(runs.map(({ seed }) => seed))];
  const logs = seeds.flatMap((seed) => {
    const [own, theirs] = [of(claimed, seed), of(baseline, seed)];
    if (own === undefined || theirs === undefined) return [];
    const ratio = measure === 'tokensPerSecond' ? own / theirs : theirs / own;
    return [Math.log(ratio)];
  });
  if (logs.length === 0) return undefined;
  const { mean, low, high, count } = estimate(logs);
  return { mean: Math.exp(mean), low: Math.exp(low), high: Math.exp(high), count };
}

function inWords(gain: Estimate | undefined): string {
  if (gain === undefined) return '–';
  const digits = (x: number) => x.toFixed(x < 10 ? 2 : 1);
  return `${digits(gain.mean)} (${digits(gain.low)} to ${digits(gain.high)})`;
}

function figure(value: number | undefined): string {
  if (value === undefined) return '–';
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

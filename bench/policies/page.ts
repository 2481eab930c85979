// The comparison as a page in Markdown: the verdicts first, then a table per cell.
import { machine } from '../machine.ts';
import { type Cell, cells, type StepCost, syntheticTrace } from './cells.ts';
import { clairvoyant, contenderNames } from './contenders.ts';
import type { KeptScore } from './kept-scores.ts';
import { floorName, type Score, warmupShare } from './play.ts';
import {
  type Measure,
  meanOf,
  measures,
  subject,
  type Verdict,
  verdictAgainst,
  verdictOf,
} from './verdict.ts';

export interface Played {
  readonly scores: readonly KeptScore[];
  readonly command: string;
  readonly stepCost: StepCost;
  readonly jobs: number;
  readonly played: number;
}

export function policiesPage({ scores, command, stepCost, jobs, played }: Played): string {
  const present = cells.filter(({ name }) => scores.some(({ cell }) => cell === name));
  const seeds = [...new Set(scores.map(({ seed }) => seed))].sort((a, b) => a - b).join(', ');
  return [
    '# Routing policies against their peers, in virtual time',
    '',
    'Spillway’s policies, peers’ policies rewritten from their [sources](../../src/core/peer-policies/README.md), and',
    'a clairvoyant one, on engine models behind the routing core that the router runs. Times',
    'are those of the models: compare order and ratio. The setup is in [what was simulated](#what-was-simulated).',
    '',
    '```',
    command,
    '```',
    '',
    `Machine: ${machine()}, ${commitsOf(scores)}, ${new Date().toISOString().slice(0, 10)}. Seeds: ${seeds}; ${played} of ${jobs} cells × routers × seeds simulated.`,
    '',
    '## Is predictive the best?',
    '',
    'By its mean over the seeds, compared with the best other policy that exists. **best**: better.',
    '*noise*: behind by less than two standard errors of the paired differences, or by at most 2 %.',
    '**behind**: by more. The figure is predictive ÷ the other: for times, below 1 is better; for goodput,',
    'above 1. E2E is the time from arrival to the last token.',
    '',
    'The rules and constants of `predictive` were chosen on seeds 1 to 5 and 16 to 19, most of them with the step times',
    'of the roofline, and its weights before that on the whole conversation trace',
    '([origin](../models/routing.md#the-score)). Other seeds are the fairer test, because nothing was chosen on them.',
    '',
    '| cell | routers | p90 TTFT | goodput | mean E2E |',
    '|---|--:|---|---|---|',
    ...present.flatMap((cell) => routersOf(scores, cell).map((n) => verdictRow(scores, cell, n))),
    '',
    ...behindLines(scores, present),
    ...tradeSection(scores, present),
    ...present.flatMap((cell) => cellSection(scores, cell)),
    ...(played === jobs ? [] : ['Some combinations were not simulated.', '']),
    '## What was simulated',
    '',
    ...stepCostLines[stepCost],
    '',
    `The first ${100 * warmupShare} % of the requests fill the caches and are not counted; llm-d’s workload`,
    'and the synthetic trace have twice as many requests as the flag says. The arrivals of the conversation trace',
    'have ticks of 3 s, and are drawn at random within each tick.',
    '',
    'The synthetic trace is not part of this repository, and without it its three cells are left out. `--synthetic FILE` adds them:',
    `the file (${syntheticTrace.url}, SHA-256 ${syntheticTrace.sha256}).`,
    '',
    'Traces: each seed is another part of the trace, starting with empty caches. Generated workloads: each seed',
    'draws again (multi-round QA draws nothing; there the seed affects only the policies); conversations continue',
    'as if responses took .3 s and 15 ms per token, so that all policies get the same requests. Goodput:',
    'share of all requests whose first token arrived within the time named in the title and the later',
    'ones within 100 ms each on average. TPOT: mean over the requests with at least two output tokens of the time',
    'between their tokens; one prefill that holds up a response of a few tokens shows there. Engines report their load to llm-d’s policies every 50 ms, to',
    '`predictive` every 200 ms, also with one router.',
    '',
    'With three routers, each request arrives at one of them at random. KV events reach all routers, without delay or cost,',
    'as do tokens. Spillway’s routers share each attempt (sent, first byte, end) with a delay of 5 ms',
    'in the rows `predictive`, `predictive-without-events` and `kvaware`; so do Dynamo’s in',
    '`dynamo-replica-sync` (its `router_replica_sync`, off by default). In all other rows each router counts',
    'only its own requests: llm-d’s replicas share only what engines report. SMG’s mesh and',
    'AIBrix’s Redis, which share the locations of prefixes, are not simulated.',
    '',
    `\`${floorName}\`: each request alone, immediately, on the fastest engine, with the longest prefix that any`,
    'earlier request cached: no policy can be below it, except by chance where steps vary. `clairvoyant` has all arrivals, prompts, output',
    'lengths, step times and KV sizes, and plans 12 requests ahead. It is not a bound, because its plan is greedy.',
    'With three routers, each plans for all arrivals, but counts only the requests that it sent.',
    '',
  ].join('\n');
}

const stepCostLines: Readonly<Record<StepCost, readonly string[]>> = {
  calibrated: [
    'Step times are those of the simulator’s default, the roofline fitted to measurements',
    '([engine-model.md](../models/engine-model.md)). `--step-cost roofline` takes the catalogue’s figures alone.',
  ],
  roofline: ['Step times are those of the roofline with the catalogue’s figures alone.'],
};

/** Kept scores may be from an earlier commit than new ones. */
function commitsOf(scores: readonly KeptScore[]): string {
  const played = scores.filter(({ policy }) => policy !== floorName);
  const commits = Map.groupBy(played, ({ commit }) => commit);
  if (commits.size <= 1) return `commit ${[...commits.keys()].join('')}`;
  const all = [...new Set(played.map(({ policy }) => policy))];
  const each = Array.from(commits, ([commit, own]) => {
    const has = (policy: string) => own.some((score) => score.policy === policy);
    const [present, absent] = [all.filter(has), all.filter((policy) => !has(policy))];
    const named = (policies: readonly string[]) => policies.map((name) => `\`${name}\``).join(', ');
    if (absent.length === 0) return `${commit} (some scores of each policy)`;
    if (absent.length < present.length) return `${commit} (of each but ${named(absent)})`;
    return `${commit} (${named(present)})`;
  });
  return `commits ${each.join(', ')}`;
}

function routersOf(scores: readonly Score[], { name }: Cell): number[] {
  const counts = scores.filter(({ cell }) => cell === name).map(({ routers }) => routers);
  return [...new Set(counts)].sort((a, b) => a - b);
}

function ofCell(scores: readonly Score[], cell: Cell, routers: number): Score[] {
  return scores.filter((score) => score.cell === cell.name && score.routers === routers);
}

function verdictRow(scores: readonly Score[], cell: Cell, routers: number): string {
  const own = ofCell(scores, cell, routers);
  const verdicts = measures.map((measure) => inWords(verdictOf(own, measure)));
  return `| ${cell.name} | ${routers} | ${verdicts.join(' | ')} |`;
}

/** What `predictive` gives up, and gets, wherever it is behind on a measure. */
function behindLines(scores: readonly Score[], present: readonly Cell[]): string[] {
  const lines = present.flatMap((cell) =>
    routersOf(scores, cell).flatMap((routers) => {
      const own = ofCell(scores, cell, routers);
      const behind = measures.flatMap((measure) => {
        const verdict = verdictOf(own, measure);
        return verdict?.state === 'behind' ? [{ measure, rival: verdict.rival }] : [];
      });
      return [...Map.groupBy(behind, ({ rival }) => rival)].map(([rival, those]) => {
        const all = measures.map((measure) => comparedIn(own, rival, measure)).join(', ');
        const on = those.map(({ measure }) => names[measure]).join(' and ');
        return `- ${rowName(cell, routers)}, on ${on}: ${all} of \`${rival}\`.`;
      });
    }),
  );
  return lines.length === 0
    ? ['It is behind in no cell on any of these.', '']
    : ['Behind, with all three measures:', '', ...lines, ''];
}

/** The measures of a table, in words. */
const names: Readonly<Record<Measure, string>> = {
  ttftP90Seconds: 'p90 TTFT',
  goodput: 'goodput',
  e2eMeanSeconds: 'mean E2E',
};

function rowName({ name }: Cell, routers: number): string {
  return `${name} with ${routers} ${routers === 1 ? 'router' : 'routers'}`;
}

function comparedIn(own: readonly Score[], rival: string, measure: Measure): string {
  const [ours, theirs] = [subject, rival].map((policy) => {
    const mean = meanOf(
      own.filter((score) => score.policy === policy),
      measure,
    );
    return measure === 'goodput' ? `${(100 * mean).toFixed(1)} %` : `${seconds(mean)} s`;
  });
  return `${names[measure]} ${ours} against ${theirs}`;
}

/** Policies that keep prefixes where they are; the trade between the first and the last token shows against them. */
const keepers = ['kvaware', 'session'] as const;

/** Whether `predictive` pays for its first tokens with later ones, or the reverse, from the figures. */
function tradeSection(scores: readonly Score[], present: readonly Cell[]): string[] {
  const rows = present.flatMap((cell) =>
    routersOf(scores, cell).map((routers) => ({
      ...{ cell, routers, own: ofCell(scores, cell, routers) },
    })),
  );
  const rivals = keepers.filter((name) => scores.some(({ policy }) => policy === name));
  if (rivals.length === 0) return [];
  const paired = ['ttftP90Seconds', 'e2eMeanSeconds'] as const;
  const sentences = rivals.map((rival) => {
    const states = rows.map(({ cell, routers, own }) => {
      const [ttft, e2e] = paired.map((measure) => verdictAgainst(rival, own, measure)?.state);
      return { ...{ ttft, e2e }, name: rowName(cell, routers) };
    });
    const both = states.filter(({ ttft, e2e }) => ttft !== 'behind' && e2e !== 'behind').length;
    const paysFirst = states.filter(({ ttft, e2e }) => ttft === 'behind' && e2e === 'best');
    const paysLast = states.filter(({ ttft, e2e }) => ttft === 'best' && e2e === 'behind');
    const behind = states.filter(
      (state) =>
        (state.ttft === 'behind' || state.e2e === 'behind') &&
        !paysFirst.includes(state) &&
        !paysLast.includes(state),
    );
    const listed = (those: typeof states) => those.map(({ name }) => name).join('; ');
    return [
      `Against \`${rival}\`, it is better or level on both in ${both} of ${states.length} rows.`,
      ...(paysLast.length > 0
        ? [`It pays for first tokens with later ones in: ${listed(paysLast)}.`]
        : []),
      ...(paysFirst.length > 0
        ? [`It pays for later tokens with first ones in: ${listed(paysFirst)}.`]
        : []),
      ...(behind.length > 0 ? [`It is behind without a gain in: ${listed(behind)}.`] : []),
    ].join(' ');
  });
  const head = rivals.flatMap((rival) => paired.map((of) => `${names[of]}, \`${rival}\``));
  return [
    '## First token against last token',
    '',
    'A policy that keeps prefixes together computes less, and one that spreads prompts lets them wait less. Each',
    'column is predictive ÷ the other.',
    '',
    ...sentences.flatMap((sentence) => [sentence, '']),
    `| cell | routers | ${head.join(' | ')} |`,
    `|---|--:|${head.map(() => '---|').join('')}`,
    ...rows.map(({ cell, routers, own }) => {
      const figures = rivals.flatMap((rival) =>
        paired.map((measure) => shortWords(verdictAgainst(rival, own, measure))),
      );
      return `| ${cell.name} | ${routers} | ${figures.join(' | ')} |`;
    }),
    '',
  ];
}

function shortWords(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '–';
  const ratio = verdict.ratio.toFixed(2);
  return verdict.state === 'behind' ? `**${ratio}**` : ratio;
}

function inWords(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '–';
  const { state, ratio, rival } = verdict;
  const word = state === 'noise' ? '*noise*' : `**${state}**`;
  return `${word}, ${ratio.toFixed(2)} of \`${rival}\``;
}

function cellSection(scores: readonly Score[], cell: Cell): string[] {
  return [
    `## ${cell.name}`,
    '',
    `${cell.what}. Good: first token within ${cell.ttftSeconds} s. Mean of the seeds [least – most].`,
    '',
    ...routersOf(scores, cell).flatMap((routers) => cellTable(scores, cell, routers)),
  ];
}

function cellTable(scores: readonly Score[], cell: Cell, routers: number): string[] {
  const ofRouters = ofCell(scores, cell, routers);
  const policies = [
    floorName,
    clairvoyant,
    ...contenderNames.filter((name) => name !== clairvoyant),
  ];
  const rows = policies.flatMap((policy) => {
    const own = ofRouters.filter((score) => score.policy === policy);
    if (own.length === 0) return [];
    const figures = columns.map(({ of, digits }) => spread(own.map(of), digits));
    return [`| \`${policy}\` | ${figures.join(' | ')} |`];
  });
  return [
    `| ${routers} router${routers === 1 ? '' : 's'} | ${columns.map(({ head }) => head).join(' | ')} |`,
    `|---|${columns.map(() => '--:|').join('')}`,
    ...rows,
    '',
  ];
}

interface Column {
  readonly head: string;
  readonly of: (score: Score) => number;
  readonly digits: (value: number) => string;
}

const seconds = (x: number) => (x < 0.1 ? x.toFixed(3) : x.toFixed(2));
const oneDigit = (x: number) => x.toFixed(1);

const columns: readonly Column[] = [
  { head: 'p90 TTFT, s', of: (score) => score.ttftP90Seconds, digits: seconds },
  { head: 'goodput, %', of: (score) => 100 * score.goodput, digits: oneDigit },
  { head: 'mean E2E, s', of: (score) => score.e2eMeanSeconds, digits: seconds },
  { head: 'p90 E2E, s', of: (score) => score.e2eP90Seconds, digits: seconds },
  { head: 'TPOT, ms', of: (score) => 1000 * score.tpotMeanSeconds, digits: oneDigit },
  { head: 'hit, %', of: (score) => 100 * score.hitRate, digits: oneDigit },
];

function spread(values: readonly number[], inDigits: (x: number) => string): string {
  if (values.length === 0 || values.some(Number.isNaN)) return '–';
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const ends = [Math.min(...values), Math.max(...values)].map(inDigits);
  return ends[0] === ends[1] ? inDigits(mean) : `${inDigits(mean)} [${ends.join(' – ')}]`;
}

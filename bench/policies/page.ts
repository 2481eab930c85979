// The comparison as a page in Markdown: the verdicts first, then a table per cell.
import { cpus, totalmem } from 'node:os';
import { type Cell, cells } from './cells.ts';
import { clairvoyant, contenderNames } from './contenders.ts';
import type { KeptScore } from './kept-scores.ts';
import { floorName, type Score, warmupShare } from './play.ts';
import { type Verdict, verdictOf } from './verdict.ts';

export interface Played {
  readonly scores: readonly KeptScore[];
  readonly command: string;
  readonly jobs: number;
  readonly played: number;
}

export function policiesPage({ scores, command, jobs, played }: Played): string {
  const present = cells.filter(({ name }) => scores.some(({ cell }) => cell === name));
  const seeds = [...new Set(scores.map(({ seed }) => seed))].sort((a, b) => a - b).join(', ');
  return [
    '# Routing policies against their peers, in virtual time',
    '',
    'Our policies, peers’ policies written anew ([sources](../../src/core/peer-policies/README.md)) and',
    'one that knows the future, on engine models behind the routing core that the router runs. Times',
    'are those of the models: read order and ratio. What they are is in [what was played](#what-was-played).',
    '',
    '```',
    command,
    '```',
    '',
    `Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, ${commitsOf(scores)}, ${new Date().toISOString().slice(0, 10)}. Seeds: ${seeds}; ${played} of ${jobs} cells × routers × seeds played.`,
    '',
    '## Is predictive the best?',
    '',
    'By its mean over the seeds against the best other policy that can be had. **best**: better.',
    '*noise*: behind by less than two standard errors of the paired differences, or by at most 2 %.',
    '**behind**: by more. The figure is predictive ÷ the other: below 1 is better for the time, above 1',
    'for goodput.',
    '',
    'The rules and constants of `predictive` were chosen by seeds 1 to 5 and 16 to 19, its weights before that',
    'by the conversation trace as a whole ([where from](../models/routing.md#the-score)). Other seeds are',
    'the fairer ones: what is there was not chosen by them.',
    '',
    '| cell | routers | p90 TTFT | goodput |',
    '|---|--:|---|---|',
    ...present.flatMap((cell) => routersOf(scores, cell).map((n) => verdictRow(scores, cell, n))),
    '',
    ...present.flatMap((cell) => cellTable(scores, cell)),
    ...(played === jobs ? [] : ['Not all were played.', '']),
    '## What was played',
    '',
    `The first ${100 * warmupShare} % of the requests fill the caches and are not counted; llm-d’s workload has`,
    'twice as many requests as the flag says. The conversation trace’s arrivals come in ticks of 3 s, and',
    'are drawn anew within theirs.',
    '',
    'Traces: each seed is another part of the trace, from empty caches. Generated workloads: each seed',
    'draws anew (multi-round QA draws nothing, there a seed is the policies’ own dice); conversations go',
    'on as if answers took .3 s and 15 ms a token, so that all policies get the same requests. Goodput:',
    'share of all requests whose first token came within the seconds named in the title and the later',
    'ones within 100 ms each on average. Engines report their load to llm-d’s policies each 50 ms, to',
    '`predictive` each 200 ms, also with one router.',
    '',
    'With three routers each request comes to any of them. KV events reach all, at once and free of cost,',
    'as do tokens. Our routers tell each other of each attempt (sent, first byte, end), and hear of it 5 ms',
    'later, in the rows `predictive`, `predictive-without-events` and `kvaware`; so do Dynamo’s in',
    '`dynamo-replica-sync` (its `router_replica_sync`, off by default). In all other rows each router counts',
    'only its own requests: llm-d’s replicas share nothing but what engines tell. SMG’s mesh and',
    'AIBrix’s Redis, which hand on where prefixes are, are not played.',
    '',
    `\`${floorName}\`: each request alone, at once, on the fastest engine, with the longest prefix that any`,
    'earlier request brought: no policy can be below. `clairvoyant` knows all arrivals, prompts, output',
    'lengths, step times and KV sizes, plans 12 requests ahead, and is no bound: its plan is greedy.',
    'With three routers each plans all that comes, but has only its own in its books.',
    '',
  ].join('\n');
}

/** Scores that were kept may be of an earlier commit than those just played. */
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
  const cellsOf = [verdictOf(own, 'ttftP90Seconds'), verdictOf(own, 'goodput')].map(inWords);
  return `| ${cell.name} | ${routers} | ${cellsOf.join(' | ')} |`;
}

function inWords(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '–';
  const { state, ratio, rival } = verdict;
  const word = state === 'noise' ? '*noise*' : `**${state}**`;
  return `${word}, ${ratio.toFixed(2)} of \`${rival}\``;
}

function cellTable(scores: readonly Score[], cell: Cell): string[] {
  const routers = routersOf(scores, cell);
  const heads = routers.flatMap((n) => {
    const of = `${n} router${n === 1 ? '' : 's'}`;
    return [`${of}: p90 TTFT, s`, 'goodput, %', 'hit, %'];
  });
  const names = [floorName, clairvoyant, ...contenderNames.filter((name) => name !== clairvoyant)];
  const rows = names.flatMap((policy) => {
    const own = routers.map((n) =>
      ofCell(scores, cell, n).filter((score) => score.policy === policy),
    );
    if (own.every((list) => list.length === 0)) return [];
    return [`| \`${policy}\` | ${own.flatMap(figures).join(' | ')} |`];
  });
  return [
    `## ${cell.name}`,
    '',
    `${cell.what}. Good: first token within ${cell.ttftSeconds} s. Mean of the seeds [least – most].`,
    '',
    `| policy | ${heads.join(' | ')} |`,
    `|---|${heads.map(() => '--:|').join('')}`,
    ...rows,
    '',
  ];
}

function figures(scores: readonly Score[]): string[] {
  const digits = (x: number) => (x < 0.1 ? x.toFixed(3) : x.toFixed(2));
  return [
    spread(
      scores.map((score) => score.ttftP90Seconds),
      digits,
    ),
    spread(
      scores.map((score) => 100 * score.goodput),
      (x) => x.toFixed(1),
    ),
    spread(
      scores.map((score) => 100 * score.hitRate),
      (x) => x.toFixed(1),
    ),
  ];
}

function spread(values: readonly number[], inDigits: (x: number) => string): string {
  if (values.length === 0 || values.some(Number.isNaN)) return '–';
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const ends = [Math.min(...values), Math.max(...values)].map(inDigits);
  return ends[0] === ends[1] ? inDigits(mean) : `${inDigits(mean)} [${ends.join(' – ')}]`;
}

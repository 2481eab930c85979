// The decider as a skill file for coding agents: metadata, inputs, rules and steps, generated from the rules
// that `spillway plan` applies, so that both say the same.
import { stringify } from 'yaml';
import { offloadChoices, planInputKeys, rules, stackNeeds } from '../../core/plan/index.ts';
import { defaultThresholds } from '../../core/values/index.ts';
import { markdownTable } from '../report/index.ts';

/** Sections of the page that a plan prints, in order. */
const sections = [
  'Stack: chart or own stack, custom resources, operator kinds, engines and their parallelism',
  'KV offload: none, native or LMCache, host memory and its price, from which length a transfer pays',
  'HBM monitoring: --gpu-memory-utilization with headroom, and the alert before requests are preempted',
  'Router: a policy that reads KV events, and the channel that carries them',
  'Observability: scraping each engine, OTel GenAI attributes, dashboards',
  'Expected impact: each layout with intervals, against none, today and the published 16 × H100 runs',
];

/** @param version Of the program, which is that of the rules. */
export function planSkill(version: string): string {
  const metadata = {
    name: 'vllm-stack-decider',
    title: 'vLLM production stack and LMCache decider',
    description:
      'Decide a vLLM serving layout for a workload: production stack or own stack, KV offload (none, native, LMCache), HBM monitoring, routing and size, with refusals and a final gate.',
    version,
    // Of the lesson that the rules come from.
    phase: 17,
    lesson: 18,
    category: 'vllm-stack-decider',
    audience: ['platform engineers', 'site reliability engineers', 'ML engineers'],
    tags: [
      'vllm',
      'production-stack',
      'lmcache',
      'kv-offload',
      'connector-api',
      'kv-cache',
      'kubernetes',
      'capacity',
    ],
  };
  return [
    '---',
    stringify(metadata, { lineWidth: 0 }).trimEnd(),
    '---',
    '',
    '# vLLM stack decider',
    '',
    'Given a workload, a fleet and a team, produce a one-page plan. The rules below decide what is allowed; simulate the',
    'layouts, and leave out a tier that does not pay. `spillway plan -f input.yaml` does all of it.',
    '',
    '## Inputs',
    '',
    'All are optional. State each assumption with its reason.',
    '',
    ...inputLines(),
    '',
    `\`operations.needs\` accepts ${stackNeeds.join(', ')}.`,
    '',
    '## Refusals and hard rejects',
    '',
    'In this order. A refusal takes an option away; a hard reject sends the request back. Name the input that',
    'triggered it, and the closest layout that is accepted.',
    '',
    ...rules.map(
      ({ id, kind, says }) =>
        `- **${id}** (${kind === 'reject' ? 'hard reject' : 'refusal'}): ${says}`,
    ),
    '',
    '## KV offload',
    '',
    'The first that applies:',
    '',
    ...offloadChoices.map(({ kvOffload, says }, i) => `${i + 1}. **${kvOffload}**: ${says}`),
    '',
    '## Thresholds',
    '',
    markdownTable({
      head: ['threshold', 'default'],
      rows: Object.entries(defaultThresholds).map(([name, value]) => [name, String(value)]),
    }),
    '',
    '## Output',
    '',
    'One page with these sections:',
    '',
    ...sections.map((section, i) => `${i + 1}. ${section}.`),
    '',
    'Where rules and simulation disagree, say so, with the figures and what was measured on real GPUs, and give one answer:',
    'the page and the values file have the same offload. With goals, take the fewest engines of whose requests 95 % meet them.',
    '',
    '## Final gate',
    '',
    `HBM utilization (vllm:kv_cache_usage_perc) P99 over the last 24 hours at most ${defaultThresholds.hbmUtilization} on every engine:`,
    `\`spillway gate --prometheus URL --window 24h --max ${defaultThresholds.hbmUtilization}\`.`,
    '',
  ].join('\n');
}

function inputLines(): string[] {
  return planInputKeys()
    .filter(({ path: [section] }) => section !== 'thresholds')
    .map(({ path, description }) => `- \`${path.join('.')}\`: ${description}`);
}

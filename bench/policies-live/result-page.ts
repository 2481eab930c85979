// The result of bench/policies-live.ts as a page: one row per policy, then every run.
import { execFileSync } from 'node:child_process';
import { machine } from '../machine.ts';
import type { LiveLoad, LiveRun } from './run-policy.ts';

/** Returns the page in Markdown. */
export function resultPage(result: {
  readonly runs: readonly LiveRun[];
  readonly policies: readonly string[];
  readonly load: LiveLoad;
  readonly command: string;
}): string {
  const { runs, policies, load, command } = result;
  const rows = policies.flatMap((policy) => {
    const own = runs.filter((run) => run.policy === policy);
    return own.length === 0 ? [] : [policyRow(policy, own)];
  });
  return [
    '# Routing policies on real traffic',
    '',
    `\`spillway up\` with four embedded engines of Qwen3-8B on ${load.gpu} behind the router, and the first ${load.requests} requests of the Mooncake conversation trace at ${load.speed} times its speed (${offered(runs)} requests per GPU second). All times are GPU time; ${load.timeScale} GPU seconds passed per wall second. Each run starts a new stack with empty caches. The engines are emulations: their times come from the engine model, not from a GPU.`,
    '',
    '```',
    command,
    '```',
    '',
    `Machine: ${machine()}, commit ${commit()}, ${new Date().toISOString().slice(0, 10)}.`,
    '',
    '## Per policy: median of the repeats [least – most]',
    '',
    '| policy | hit rate, % | TTFT mean, ms | TTFT p50, ms | TTFT p90, ms | E2E mean, ms | busiest / mean, prompt tokens | busiest / mean, requests | failed |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    "Hit rate: prompt tokens found in the prefix cache over all prompt tokens, from the engines' own counters.",
    '',
    '## Every run, in order',
    '',
    '| policy | repeat | completed | failed | hit rate, % | TTFT mean | p50 | p90 | p99 | TPOT mean | preemptions | client lag mean / p99 / max, wall ms | machine busy, % | CPU s router / engines / client | late engine responses / maximum delay, wall ms |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...runs.map(runRow),
    '',
    ...errorLines(runs),
  ].join('\n');
}

function commit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
}

function policyRow(policy: string, runs: readonly LiveRun[]): string {
  const cells = [
    spread(
      runs.map((run) => (run.hitRate ?? Number.NaN) * 100),
      2,
    ),
    spread(
      runs.map((run) => run.ttftMeanMs),
      0,
    ),
    spread(
      runs.map((run) => run.ttftP50Ms),
      0,
    ),
    spread(
      runs.map((run) => run.ttftP90Ms),
      0,
    ),
    spread(
      runs.map((run) => run.e2eMeanMs),
      0,
    ),
    spread(
      runs.map((run) => run.spreadTokens),
      2,
    ),
    spread(
      runs.map((run) => run.spreadRequests),
      2,
    ),
    String(runs.reduce((total, run) => total + run.failed, 0)),
  ];
  return `| \`${policy}\` | ${cells.join(' | ')} |`;
}

function runRow(run: LiveRun): string {
  const lag = [run.clientLagMeanMs, run.clientLagP99Ms, run.clientLagMaxMs];
  const cells = [
    `\`${run.policy}\``,
    run.repeat + 1,
    run.completed,
    run.failed,
    run.hitRate === null ? '–' : (run.hitRate * 100).toFixed(2),
    ...[run.ttftMeanMs, run.ttftP50Ms, run.ttftP90Ms, run.ttftP99Ms].map((ms) => ms.toFixed(0)),
    run.tpotMeanMs.toFixed(1),
    run.preemptions ?? '–',
    lag.map((ms) => ms.toFixed(1)).join(' / '),
    (run.cpuShare * 100).toFixed(0),
    [run.cpuSeconds.router, run.cpuSeconds.engines, run.cpuSeconds.client]
      .map((seconds) => seconds.toFixed(1))
      .join(' / '),
    `${run.behindAnswers} / ${run.behindMaxMs.toFixed(0)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const [least = Number.NaN, most = Number.NaN] = [sorted[0], sorted.at(-1)];
  const text = (value: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits));
  return `${text(median)} [${text(least)} – ${text(most)}]`;
}

function offered(runs: readonly LiveRun[]): string {
  return (runs[0]?.offeredRate ?? Number.NaN).toFixed(2);
}

function errorLines(runs: readonly LiveRun[]): string[] {
  const lines = runs
    .filter((run) => run.failed > 0)
    .map((run) => `- \`${run.policy}\` ${run.repeat + 1}: ${JSON.stringify(run.errors)}`);
  return lines.length === 0 ? [] : ['Errors by kind:', '', ...lines, ''];
}

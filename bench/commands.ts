// Measures whole commands, from the start of Node to its end: CPU seconds, compared with those of
// another clone in alternating runs, so that both see the same load of the machine.
//
//   node bench/commands.ts --against CLONE [--runs 7] [--short]
//
// CLONE is a clone of an older commit, with its node_modules. Writes docs/results/commands.md. With
// --short it skips the whole trace and the measured points, and prints.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    runs: { type: 'string', default: '7' },
    short: { type: 'boolean', default: false },
  },
});
const { against, short } = values;
if (against === undefined) throw new Error('--against names the clone to compare with');
const root = join(import.meta.dirname, '..');
const clones = [against, root];
const runs = Number(values.runs);

const trace = join(root, 'bench/data/mooncake-conversation.jsonl.gz');
const points = join(root, 'bench/data/vllm-measured-points.csv');
const stack = join(root, 'docs/guide/kv-offload/values.yaml');
const commands = [
  '--help',
  'router --help',
  'plan --help',
  'simulate --help',
  `simulate --trace ${trace} --engines 8 --requests 1 --json`,
  `simulate -f ${stack} --trace ${trace} --requests 1 --json`,
];
const long = [
  `simulate --trace ${trace} --engines 8 --json`,
  `simulate points --points ${points} --json`,
];

/** Runs of the long commands, whose CPU time is minutes in total. */
const longRuns = 3;

const rows = [...commands, ...(short ? [] : long)].map((command) => {
  // The first run of each fills the compile cache.
  for (const clone of clones) cpuSeconds(clone, command);
  const pairs = Array.from({ length: long.includes(command) ? longRuns : runs }, (_, i) => {
    const order = i % 2 === 0 ? clones : clones.toReversed();
    const seconds = new Map(order.map((clone) => [clone, cpuSeconds(clone, command)]));
    return clones.map((clone) => seconds.get(clone) as number);
  });
  return [
    `\`spillway ${command.replaceAll(`${root}/`, '')}\``,
    ...clones.map((_, i) => median(pairs.map((pair) => pair[i] as number)).toFixed(2)),
    median(pairs.map(([before = NaN, now = NaN]) => now / before)).toFixed(2),
  ];
});
if (short) process.stdout.write(page());
else writeFileSync(join(root, 'docs/results/commands.md'), page());

function page(): string {
  const [{ model = 'unknown' } = {}] = cpus();
  const head = ['command', 'before', 'now', 'share'];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return `# The cost of whole commands

    node bench/commands.ts --against CLONE

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${model}, one core; the machine had other work
at the same time (load ${loadavg()[0]?.toFixed(0)} at the end). CPU seconds, user and system, from the start of Node to its exit; medians
of ${runs} runs (${longRuns} for the last two commands), which alternate between ${commitOf(root)} and, as "before", ${commitOf(against ?? '')}. The share is the median over the pairs.
The last two simulate the whole conversation trace and all measured points; \`--requests 1\` covers the start, and reading
the trace until the first request.

${[head, head.map(() => '---'), ...rows].map(line).join('\n')}
`;
}

function commitOf(clone: string): string {
  return execFileSync('git', ['log', '-1', '--format=%h'], { cwd: clone, encoding: 'utf8' }).trim();
}

/** User and system time of the command on one core. */
function cpuSeconds(clone: string, command: string): number {
  const timed = 'TIMEFORMAT="%U %S"; { time "$@" >/dev/null 2>/dev/null; } 2>&1';
  const { stdout } = spawnSync(
    'bash',
    [
      ...['-c', timed, 'bash', 'taskset', '-c', '0'],
      ...[process.execPath, join(clone, 'bin/spillway.mjs'), ...command.split(' ')],
    ],
    { encoding: 'utf8' },
  );
  const [user = NaN, system = NaN] = stdout.trim().split(' ').map(Number);
  return user + system;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

// The tables of the guide to offloading are what its commands print.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');
const guide = readFileSync(join(root, 'docs', 'guide', 'kv-offload.md'), 'utf8');
const launcher = `${process.execPath} ${join(root, 'bin', 'spillway.mjs')}`;

/** The commands of a section: the first one whole, each further one with another end from `--offload` on. */
function commandsOf(section: string): string[] {
  const block = /^ {4}spillway simulate [\s\S]*?(?=\n\n)/m.exec(section)?.[0] ?? '';
  const [first = '', ...more] = block.split(/\n {4}… /);
  return [first, ...more.map((end) => first.replace(/--offload \S+[\s\S]*/, end))];
}

/** The first column of figures of the first table of a section, without what stands behind the figure. */
function figuresOf(section: string): number[] {
  const rows = section.split('\n').filter((line) => /^\| [^|]+\| [\d,]+ /.test(line));
  return rows.map((row) => Number(/^\| [^|]+\| ([\d,]+)/.exec(row)?.[1]?.replaceAll(',', '')));
}

async function play(command: string) {
  const line = command.trim().replace(/^spillway/, launcher);
  const { stdout } = await promisify(execFile)('bash', ['-c', `${line} --json`], {
    ...{ cwd: root, maxBuffer: 64 << 20, timeout: 120_000 },
  });
  return JSON.parse(stdout) as {
    readonly output_throughput: number;
    readonly spillway: { readonly engines: readonly { readonly computed_tokens: number }[] };
  };
}

type Result = Awaited<ReturnType<typeof play>>;
const outputRate = (result: Result) => Math.round(result.output_throughput);
const computedTokens = ({ spillway }: Result) =>
  spillway.engines.reduce((sum, engine) => sum + engine.computed_tokens, 0);

for (const [heading, of] of [
  ['## 2. What does one tenant save?', computedTokens],
  ['## 3. What if the shared store is lost?', outputRate],
  ['## 5. Is asynchronous offload free?', outputRate],
] as const) {
  test(`the guide to offloading shows what its commands print: ${heading.slice(3)}`, async () => {
    const section = guide.slice(guide.indexOf(heading)).split('\n## ')[0] ?? '';
    const commands = commandsOf(section);
    const figures = figuresOf(section).slice(0, commands.length);
    assert.ok(commands.length >= 3, section);
    assert.deepEqual(figures, (await Promise.all(commands.map(play))).map(of));
  });
}

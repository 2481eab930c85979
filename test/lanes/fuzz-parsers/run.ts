// The long form, by hand: `node --expose-gc test/lanes/fuzz-parsers/run.ts --cases 10000000 --seed 1`.
// Prints a table of Markdown; writes the input of each finding to --findings DIR.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CampaignResult, runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
    findings: { type: 'string' },
    /** File of the table so far. */
    table: { type: 'string' },
  },
});

const startMs = performance.now();
const result = await runCampaign({
  cases: Number(values.cases),
  seed: Number(values.seed),
  only: values.only,
  onProgress: (cases, partial) => {
    const { findings, heapMiB } = partial;
    if (values.table !== undefined) {
      const seconds = (performance.now() - startMs) / 1000;
      writeFileSync(values.table, `${tableOf({ ...partial, seconds })}\n`);
    }
    process.stderr.write(
      `${cases} cases, ${findings.length} findings, heap ${heapMiB.at(-1)?.toFixed(1)} MiB\n`,
    );
  },
});
process.stdout.write(`${tableOf(result)}\n`);
for (const { target, number, what, bytes } of result.findings) {
  process.stdout.write(`finding: ${target}, case ${number}, ${bytes.length} bytes: ${what}\n`);
  if (values.findings === undefined) continue;
  mkdirSync(values.findings, { recursive: true });
  writeFileSync(join(values.findings, `${target.replaceAll(' ', '-')}-${number}`), bytes);
}
process.exitCode = result.findings.length === 0 ? 0 : 1;

function tableOf({ counts, cases, seconds, heapMiB }: CampaignResult): string {
  const rows = Array.from(counts, ([name, one]) =>
    [
      ...[name, one.cases, one.accepted, one.refused, one.failed],
      ...[
        (one.bytes / 1_048_576).toFixed(0),
        ((1000 * one.ms) / one.cases).toFixed(1),
        one.longestMs.toFixed(1),
      ],
    ].join(' | '),
  );
  return [
    '| parser | cases | accepted | refused | failed | MiB | µs a case | longest ms |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
    `${cases} cases in ${seconds.toFixed(0)} s, heap ${heapMiB[0]?.toFixed(1)} → ${heapMiB.at(-1)?.toFixed(1)} MiB, ` +
      `RSS at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB, ` +
      `${(process.cpuUsage().user / 1e6).toFixed(0)} s on the processor`,
  ].join('\n');
}

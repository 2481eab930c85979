// Compares Spillway's own implementations of ZeroMQ, MessagePack and metrics with the usual
// libraries, and writes the page docs/results/libraries.md.
//
//   node bench/libraries/run.ts [--repeats 15] [--only metrics,messagepack,zeromq] [--port 9400]
//
// The libraries are installed from the npm registry into temporary folders and removed again. With
// `--only` the page is printed, not written.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Installed, install, versions } from './install.ts';
import { messagePackFacts, messagePackPairs } from './messagepack.ts';
import { metricsPairs } from './metrics.ts';
import { measurePair, type Pair, type PairResult, tableOf } from './pairs.ts';
import { zeromqResults } from './zeromq.ts';

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '15' },
    only: { type: 'string', default: 'metrics,messagepack,zeromq' },
    port: { type: 'string', default: '9400' },
  },
});
const repeats = Number(flags.repeats);
const chosen = flags.only.split(',');

const sections = [
  await section('metrics', 'Metrics', 'prom-client', async ({ load }) => ({
    results: await measureAll(
      metricsPairs(load('prom-client') as Parameters<typeof metricsPairs>[0]),
    ),
    facts: [],
  })),
  await section('messagepack', 'MessagePack', 'msgpackr', async ({ load }) => {
    const library = load('msgpackr') as Parameters<typeof messagePackPairs>[0];
    const results = await measureAll(messagePackPairs(library));
    return { results, facts: messagePackFacts(library) };
  }),
  await section('zeromq', 'ZeroMQ', 'zeromq', async ({ folder }) => ({
    results: await zeromqResults(folder, {
      repeats: Math.ceil(repeats / 3),
      port: Number(flags.port),
    }),
    facts: [],
  })),
].filter((text) => text !== undefined);

const page = `# Own implementations, compared with libraries

    node bench/libraries/run.ts --repeats ${repeats}

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}; the machine had other work
at the same time (load ${loadavg()[0]?.toFixed(0)} at the end). Microseconds of CPU, user and system, of all threads; medians of ${repeats}
pairs whose order alternates, ${Math.ceil(repeats / 3)} for ZeroMQ. The ratio is the median over the pairs (below 1: Spillway's code costs less), with its
10th and 90th percentile.

${sections.join('\n\n')}
`;
if (sections.length === 3) {
  writeFileSync(join(import.meta.dirname, '../../docs/results/libraries.md'), page);
}
console.log(page);
// zeromq has a thread that would keep the process running.
process.exit();

async function section(
  key: string,
  title: string,
  name: keyof typeof versions,
  measure: (
    installed: Installed,
  ) => Promise<{ readonly results: readonly PairResult[]; readonly facts: readonly string[] }>,
): Promise<string | undefined> {
  if (!chosen.includes(key)) return undefined;
  console.error(`${title}: installing ${name} ${versions[name]}`);
  let installed: Installed;
  try {
    installed = install(name);
  } catch (error) {
    console.error(`${title} was not measured. ${(error as Error).message}`);
    return undefined;
  }
  try {
    const { results, facts } = await measure(installed);
    const megabytes = (installed.bytes / 1e6).toFixed(1);
    return [
      `## ${title}: ${name} ${versions[name]}`,
      `${megabytes} MB installed, with its dependencies; licence ${installed.license}.`,
      tableOf(name, results),
      ...(facts.length > 0 ? [facts.map((fact) => `- ${fact}`).join('\n')] : []),
    ].join('\n\n');
  } finally {
    installed.remove();
  }
}

async function measureAll(pairs: readonly Pair[]): Promise<readonly PairResult[]> {
  const results: PairResult[] = [];
  for (const pair of pairs) {
    results.push(await measurePair(pair, repeats));
    console.error(pair.what);
  }
  return results;
}

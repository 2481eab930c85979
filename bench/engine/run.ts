// Measures one embedded engine on one core: start, memory, throughput, lag; compared with a peer.
//
//   node bench/engine/run.ts [--peer PATH/llm-d-inference-sim] [--repeats 3] [--starts 7]
//                            [--seconds 5] [--paced-seconds 15] [--page FILE.md] [--port 9200]
//                            [--parts starts,sizes,rates,paced,paced-json]
//
// The engine has CPU 0, the client CPU 1. Needs Linux, two cores and taskset.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  measurePaced,
  measurePacedJson,
  measureRates,
  measureSize,
  measureStart,
  type PacedJsonSample,
  type PacedSample,
  type RateSample,
  type SizeSample,
  type StartSample,
} from './measure.ts';
import { resultPage } from './page.ts';
import { named, peerSubject, type Subject, spillwaySubject } from './subjects.ts';

const { values: flags } = parseArgs({
  options: {
    peer: { type: 'string' },
    repeats: { type: 'string', default: '3' },
    starts: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '5' },
    'paced-seconds': { type: 'string', default: '15' },
    page: { type: 'string' },
    port: { type: 'string', default: '9200' },
    parts: { type: 'string', default: 'starts,sizes,rates,paced,paced-json' },
  },
});
const root = join(import.meta.dirname, '..', '..');
const port = Number(flags.port);
const parts = new Set(flags.parts.split(','));
const packaged = layOutPackage();
const spillway = spillwaySubject(packaged);
const peer = flags.peer ? peerSubject(flags.peer) : undefined;
const subjects: readonly Subject[] = peer ? [spillway, peer] : [spillway];

const starts: { readonly name: string; readonly samples: StartSample[] }[] = [];
const package_ = [process.execPath, packaged, 'engine', ...named];
const clone = [process.execPath, join(root, 'bin', 'spillway.mjs'), 'engine', ...named];
if (parts.has('starts')) {
  await measureStarts('spillway engine, package', package_);
  await measureStarts('spillway engine, package, first start ever', package_, true);
  await measureStarts('spillway engine, clone', clone);
  if (peer && flags.peer) {
    await measureStarts(peer.name, [flags.peer, '--model', 'bench']);
  }
}

const sizes: SizeSample[] = [];
for (const count of parts.has('sizes') ? [1, 10, 100] : []) {
  sizes.push(report(await measureSize(package_, port, count)));
}

const rates: RateSample[] = [];
const paced: PacedSample[] = [];
const pacedJson: PacedJsonSample[] = [];
for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
  // In alternating order, so that none always runs when the machine is busiest.
  for (const subject of repeat % 2 === 0 ? subjects : subjects.toReversed()) {
    const pacedSeconds = Number(flags['paced-seconds']);
    if (parts.has('rates')) {
      rates.push(...report(await measureRates(subject, port, Number(flags.seconds))));
    }
    if (parts.has('paced')) paced.push(report(await measurePaced(subject, port, pacedSeconds)));
    if (parts.has('paced-json')) {
      pacedJson.push(...report(await measurePacedJson(subject, port, pacedSeconds)));
    }
  }
}
const command = `node bench/engine/run.ts ${process.argv.slice(2).join(' ')}`.trim();
const page = resultPage({ starts, sizes, rates, paced, pacedJson, command });
if (flags.page) writeFileSync(flags.page, page);
else process.stdout.write(page);

async function measureStarts(name: string, command: readonly string[], isFirst = false) {
  const samples: StartSample[] = [];
  // An uncounted start fills the caches.
  if (!isFirst) await measureStart(command, port);
  for (let i = 0; i < Number(flags.starts); i++) {
    samples.push(report(await measureStart(command, port, isFirst)));
  }
  starts.push({ name, samples });
}

function report<T>(sample: T): T {
  process.stderr.write(`${JSON.stringify(sample)}\n`);
  return sample;
}

/** Lays out the launcher with the bundle and without sources, like an installed package. */
function layOutPackage(): string {
  const folder = join(root, '.cache', 'bench-engine');
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const build = ['scripts/build.ts', '--out', join(folder, 'dist')];
  if (spawnSync(process.execPath, build, { stdio: 'inherit', cwd: root }).status !== 0) {
    throw new Error('The bundle cannot be built.');
  }
  const launcher = join(folder, 'bin', 'spillway.mjs');
  copyFileSync(join(root, 'bin', 'spillway.mjs'), launcher);
  return launcher;
}

// Bundles the web page into web/dist: one script and one style sheet with hashes in their names, and an
// index.html that loads them.
//
//   node scripts/build-web.ts [--if-stale] [--out DIRECTORY]
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Metafile } from 'esbuild';

const { values } = parseArgs({
  options: { 'if-stale': { type: 'boolean' }, out: { type: 'string', default: 'web/dist' } },
});
/** Where the page belongs. Until it is whole it is in `output`, since several processes may build or read it at once. */
const place = values.out;
const output = `${place}.${process.pid}`;
if (!values['if-stale'] || isStale()) {
  try {
    await buildWebpage();
    moveIntoPlace();
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}

async function buildWebpage(): Promise<void> {
  const startedAt = performance.now();
  const worker = await bundle('web/src/what-if-worker.ts', {});
  const result = await bundle('web/src/main.tsx', {
    // JSON of the URL, which replaces the name in the source.
    __WHAT_IF_WORKER__: JSON.stringify(`/assets/${basename(Object.keys(worker.outputs)[0] ?? '')}`),
  });
  const files = Object.keys(result.outputs).map((path) => basename(path));
  const icon = readFileSync('web/icon.svg');
  const hash = createHash('sha256').update(icon).digest('hex').slice(0, 8);
  writeFileSync(join(output, 'assets', `icon-${hash}.svg`), icon);
  const page = readFileSync('web/index.html', 'utf8')
    .replace('__SCRIPT__', `/assets/${files.find((file) => file.endsWith('.js'))}`)
    .replace('__ICON__', `/assets/icon-${hash}.svg`)
    .replace('__STYLE__', `/assets/${files.find((file) => file.endsWith('.css'))}`);
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, 'index.html'), page);
  // Both are MIT, so a copy of their code must include the licence.
  const licences = ['preact', 'uplot'].map(
    (name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8')}`,
  );
  writeFileSync(join(output, 'licences.txt'), licences.join('\n\n'));
  const kilobytes =
    [...Object.values(result.outputs), ...Object.values(worker.outputs)].reduce(
      (sum, o) => sum + o.bytes,
      0,
    ) / 1e3;
  const milliseconds = performance.now() - startedAt;
  process.stderr.write(
    `spillway: built the web page, ${kilobytes.toFixed(0)} KB in ${milliseconds.toFixed(0)} ms\n`,
  );
}

/** Replaces the page by the new one. Of two builds at once, the later one wins. */
function moveIntoPlace(): void {
  const before = `${output}.before`;
  for (let attempt = 1; ; attempt++) {
    try {
      if (statSync(place, { throwIfNoEntry: false })) renameSync(place, before);
      renameSync(output, place);
      break;
    } catch (error) {
      // Another build has taken the place between the two steps.
      if (attempt === 5) throw error;
    }
    rmSync(before, { recursive: true, force: true });
  }
  rmSync(before, { recursive: true, force: true });
}

async function bundle(entry: string, define: Record<string, string>): Promise<Metafile> {
  const { metafile } = await build({
    ...{ entryPoints: [entry], define, bundle: true, format: 'esm', target: 'es2022' },
    ...{ minify: true, metafile: true, outdir: join(output, 'assets') },
    entryNames: '[name]-[hash]',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'dataurl' },
    legalComments: 'linked',
    logLevel: 'warning',
  });
  return metafile;
}

/** Returns whether a source of the page is newer than the bundle. */
function isStale(): boolean {
  const built = modifiedAt(join(place, 'index.html'));
  const sources = ['web/src', 'src/core'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  );
  return [
    ...sources,
    'web/index.html',
    'web/icon.svg',
    'package-lock.json',
    'scripts/build-web.ts',
  ].some((file) => modifiedAt(file) > built);
}

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

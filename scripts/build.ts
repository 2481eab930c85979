// Builds the files of a published package: dist/main.js with its chunks, and the web page in dist/web. Node does
// not strip types below node_modules, so a package cannot run its sources.
//
//   node scripts/build.ts [--out DIRECTORY]
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' } } });
const output = values.out;

rmSync(output, { recursive: true, force: true });
const { metafile } = await build({
  // The programs of threads and of further processes need files with fixed names.
  entryPoints: {
    main: 'src/cli/main.ts',
    'client-process': 'src/tools/benchmark/clients/client-process.ts',
    'skim-worker': 'src/io/json-skim/skim-worker.ts',
    'tokenizer-worker': 'src/io/tokenizers/tokenizer-worker.ts',
  },
  outdir: output,
  bundle: true,
  // Each dynamic import becomes a chunk, so that a command still loads only what it needs.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.19',
  packages: 'external',
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
});
const scripts = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.js'));
const kilobytes = scripts.reduce((sum, [, { bytes }]) => sum + bytes, 0) / 1e3;
process.stderr.write(`spillway: built ${scripts.length} chunks, ${kilobytes.toFixed(0)} KB\n`);
const web = spawnSync(process.execPath, ['scripts/build-web.ts', '--out', join(output, 'web')], {
  stdio: 'inherit',
});
process.exitCode = web.status ?? 1;

// Lists the source files of the embedded engine whose code runs while one chat request is served.
//
//   node bench/engine/request-path.ts
//
// V8 counts the calls between two points in time, after a first request has loaded and compiled
// everything. The counted request has one message and eight tokens, once whole and once streamed.
import { Session } from 'node:inspector/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const source = join(import.meta.dirname, '../../src');
const server = await createEngineServer({
  port: 0,
  model: 'tiny',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
});
await chat(false);
await chat(true);
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
for (const isStream of [false, true]) {
  await session.post('Profiler.takePreciseCoverage');
  await chat(isStream);
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const files = result
    .filter(({ url, functions }) => url.startsWith('file:') && functions.some(wasCalled))
    .map(({ url }) => relative(source, fileURLToPath(url)))
    .filter((file) => !file.startsWith('..'))
    .toSorted();
  const own = files.filter((file) => file.startsWith('apps/engine/'));
  process.stdout.write(
    `${isStream ? 'As a stream' : 'Whole'}: ${own.length} files of apps/engine, ${files.length - own.length} of core and io\n`,
  );
  for (const file of files) process.stdout.write(`  ${file}\n`);
}
await server.close();

/** Sends one request and reads all of its response. */
async function chat(isStream: boolean): Promise<void> {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'tiny',
      messages: [{ role: 'user', content: 'Say hello to the reader.' }],
      max_tokens: 8,
      stream: isStream,
    }),
  });
  await response.text();
}

function wasCalled(one: { readonly ranges: readonly { readonly count: number }[] }): boolean {
  return (one.ranges[0]?.count ?? 0) > 0;
}

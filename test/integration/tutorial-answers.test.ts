// Every values file of upstream's tutorials: each model that it serves answers on each API.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer, resolveEngine } from '../../src/apps/engine/index.ts';
import { servedModel } from '../../src/core/launch/index.ts';
import { readEntry, sizingSettings } from '../../src/core/layout/index.ts';
import { engineKind, type ModelEntry, resolveValues } from '../../src/core/values/index.ts';
import { answersToEach } from '../support/answers.ts';

const folder = join(import.meta.dirname, '..', 'support', 'upstream', 'tutorials', 'assets');
const files = globSync('**/values-*.yaml', { cwd: folder }).toSorted();

test('there are tutorials', () => assert.ok(files.length >= 20));

for (const file of files) {
  test(`the models of ${file} answer on each API`, async (t) => {
    const { values } = resolveValues({
      files: [{ name: file, text: readFileSync(join(folder, file), 'utf8') }],
    });
    const { modelSpec } = values.servingEngineSpec;
    const started = modelSpec.filter((entry) => entry.enabled && engineKind(entry) === 'embedded');
    const models = new Map(started.map((entry) => [servedModel(entry), entry]));
    for (const [model, entry] of models) await answersToEach(await serve(t, model, entry), model);
  });
}

/** As under `spillway up`, except that tool calls are always allowed. */
async function serve(t: TestContext, model: string, entry: ModelEntry): Promise<string> {
  const { settings } = readEntry(entry);
  const { scheduler, dataParallelSize: _, ...sizes } = sizingSettings(settings);
  const given = Object.entries(sizes).filter(([, value]) => value !== undefined);
  const resolved = await resolveEngine({
    ...Object.fromEntries(given),
    model: entry.modelURL ?? 'Qwen/Qwen3-8B',
    ...(scheduler && { config: scheduler }),
  });
  const server = await createEngineServer({
    ...{ ...resolved, port: 0, timeScale: Number.POSITIVE_INFINITY },
    ...{ servedModelNames: [model], toolCallParser: 'hermes', enableAutoToolChoice: true },
  });
  t.after(() => server.close());
  return server.url;
}

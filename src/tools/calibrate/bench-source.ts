// Reads results of `vllm bench serve` as measurements: mean TTFT and TPOT at a number of clients.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import type { EngineConfig, Measurement, StepCostModel } from '../../core/engine/index.ts';
import { closedLoop, replayRun } from '../../core/simulation/index.ts';
import { fileProblem } from '../../io/files/index.ts';

const numbers = z.array(z.number());
const resultSchema = z.object({
  completed: z.int().min(1),
  total_input_tokens: z.number().positive(),
  total_output_tokens: z.number().positive(),
  mean_ttft_ms: z.number().positive(),
  mean_tpot_ms: z.number().positive(),
  max_concurrency: z.int().min(1).nullish(),
  start_times: numbers.optional(),
  input_lens: numbers.optional(),
  output_lens: numbers.optional(),
});

type BenchResult = z.infer<typeof resultSchema>;

/**
 * @param config Limits and KV blocks of the engine that was measured.
 * @throws {InputError} If the file is not such a result, or does not say how its requests came.
 */
export async function benchMeasurements(
  path: string,
  config: EngineConfig,
): Promise<Measurement[]> {
  const result = await readResult(path);
  const play = playOf(result, path, config);
  // One simulation gives both latencies of a file; a fit asks for them in turn, with the same cost.
  let last: { cost: StepCostModel; means: Means } | undefined;
  const means = (cost: StepCostModel) => {
    if (last?.cost !== cost) last = { cost, means: play(cost) };
    return last.means;
  };
  return [
    {
      ...{ name: `${path}: TPOT`, fold: path, seconds: result.mean_tpot_ms / 1000 },
      predict: (cost) => means(cost).tpotSeconds,
    },
    {
      ...{ name: `${path}: TTFT`, fold: path, seconds: result.mean_ttft_ms / 1000 },
      predict: (cost, requestSeconds) => means(cost).ttftSeconds + requestSeconds,
    },
  ];
}

interface Means {
  readonly ttftSeconds: number;
  readonly tpotSeconds: number;
}

/** Replays the requests if the file has their times; otherwise, simulates the number of clients. */
function playOf(result: BenchResult, path: string, config: EngineConfig) {
  const { completed, max_concurrency: clients, start_times, input_lens, output_lens } = result;
  if (clients) {
    const spread = input_lens?.length ? Math.min(...input_lens) / Math.max(...input_lens) : 1;
    const mean = (total: number) => Math.max(1, Math.round((2 * total) / completed / (1 + spread)));
    return (cost: StepCostModel): Means => {
      const { meanTtftSeconds, meanTpotSeconds } = closedLoop({
        ...{ cost, clients: Math.min(clients, completed), requests: completed, shortest: spread },
        kvTokensMax: (config.numGpuBlocks - 1) * config.blockSize,
        maxNumSeqs: config.maxNumSeqs,
        maxNumBatchedTokens: config.maxNumBatchedTokens,
        promptTokens: mean(result.total_input_tokens),
        outputTokens: mean(result.total_output_tokens),
      });
      return { ttftSeconds: meanTtftSeconds, tpotSeconds: meanTpotSeconds };
    };
  }
  if (start_times === undefined || input_lens === undefined || output_lens === undefined) {
    throw new InputError(
      `${path} contains neither max_concurrency nor the time of each request; measure with ` +
        '--max-concurrency or with --save-detailed.',
    );
  }
  const origin = Math.min(...start_times);
  const requests = start_times
    .map((at, i) => ({
      arrivalSeconds: at - origin,
      promptTokens: input_lens[i] ?? 0,
      outputTokens: output_lens[i] ?? 0,
    }))
    .filter(({ promptTokens, outputTokens }) => promptTokens > 0 && outputTokens > 0)
    .sort((a, b) => a.arrivalSeconds - b.arrivalSeconds);
  let nextId = 0;
  const { blockSize: blockTokens } = config;
  const trace = {
    blockTokens,
    requests: requests.map((request) => ({
      ...request,
      // The result does not list shared prefixes.
      blockIds: Array.from(
        { length: Math.ceil(request.promptTokens / blockTokens) },
        () => nextId++,
      ),
    })),
  };
  return (cost: StepCostModel): Means => {
    const { timings } = replayRun({ trace, config, cost });
    const ttft = timings.map(
      ({ arrivalSeconds, tokenSeconds }) => (tokenSeconds[0] ?? 0) - arrivalSeconds,
    );
    const tpot = timings.flatMap(({ tokenSeconds }) =>
      tokenSeconds.length > 1
        ? ((tokenSeconds.at(-1) ?? 0) - (tokenSeconds[0] ?? 0)) / (tokenSeconds.length - 1)
        : [],
    );
    return { ttftSeconds: meanOf(ttft), tpotSeconds: meanOf(tpot) };
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function readResult(path: string): Promise<BenchResult> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new InputError(`Cannot read the result ${path}: ${fileProblem(cause)}.`, { cause });
  }
  const parsed = resultSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(
    `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; expected is a result of vllm ` +
      'bench serve, or of spillway bench.',
  );
}

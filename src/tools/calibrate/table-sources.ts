// Reads step tables as measurements: a profile directory, or a table of whole steps.
import { readFile } from 'node:fs/promises';
import { InputError, numberInCell, selectColumns } from '../../core/base/index.ts';
import {
  type MeasuredLayout,
  type Measurement,
  profileCost,
  type StepLoad,
} from '../../core/engine/index.ts';
import { parseCsv } from '../../io/csv/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import { readEngineProfile } from '../../io/profile/index.ts';

/** Steps that are read from a profile: common in serving, and within what profilers measure. */
const decodeCounts = [1, 4, 16, 64, 128, 256];
const decodeContexts = [64, 512, 2048, 8192];
const prefillChunks = [64, 256, 1024, 2048];
const prefillContexts = [0, 2048, 8192];

/** Reads the profile of one engine at a grid of decode and prefill steps. */
export async function profileMeasurements(
  directory: string,
  layout: MeasuredLayout,
): Promise<Measurement[]> {
  const { profile } = await readEngineProfile(directory, layout);
  const cost = profileCost({ profile, ...layout });
  const measured = (name: string, fold: string, load: StepLoad): Measurement => ({
    ...{ name, fold, seconds: cost.stepSeconds(load) },
    predict: (other) => other.stepSeconds(load),
  });
  return [
    ...decodeCounts.flatMap((count) =>
      decodeContexts.map((context) =>
        measured(
          `${count} decodes at ${context}`,
          `decode ${count}`,
          stepOf([0, 0], [count, context]),
        ),
      ),
    ),
    ...prefillChunks.flatMap((chunk) =>
      prefillContexts.map((context) =>
        measured(
          `prefill of ${chunk} at ${context}`,
          `prefill ${chunk}`,
          stepOf([chunk, context], [0, 0]),
        ),
      ),
    ),
  ];
}

const columns = ['prefill_tokens', 'prefill_context', 'decodes', 'decode_context', 'time_us'];

/**
 * Reads a CSV file of whole steps. In `time_us`, a step computed `prefill_tokens` of one prompt after
 * `prefill_context` tokens, and `decodes` tokens at a mean context of `decode_context`.
 */
export async function stepMeasurements(path: string): Promise<Measurement[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`Cannot read the steps ${path}: ${fileProblem(cause)}.`, { cause });
  });
  return selectColumns(await parseCsv(text, path), columns).map(({ line, cells }) => {
    const where = `${path}:${line}`;
    const [chunk = 0, chunkContext = 0, decodes = 0, context = 0, time = 0] = cells.map((cell) =>
      numberInCell(cell, where),
    );
    if (!(time > 0) || chunk + decodes <= 0) {
      throw new InputError(`${where}: a step needs tokens, and a time above 0.`);
    }
    const load = stepOf([chunk, chunkContext], [decodes, context]);
    return {
      ...{ name: where, fold: `${chunk} ${decodes}`, seconds: time / 1e6 },
      predict: (cost) => cost.stepSeconds(load),
    };
  });
}

function stepOf(
  [chunk, chunkContext]: readonly [number, number],
  [decodes, context]: readonly [number, number],
): StepLoad {
  return {
    sequences: decodes + (chunk > 0 ? 1 : 0),
    tokens: decodes + chunk,
    prefillTokens: chunk,
    prefillTokenContext: chunk * chunkContext,
    prefillTokensSquared: chunk * chunk,
    decodeSequences: decodes,
    decodeContextTokens: decodes * context,
  };
}

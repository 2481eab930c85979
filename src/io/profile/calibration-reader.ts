// Reads the profile file that `spillway calibrate` writes.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import type { EngineConstants, MeasuredLayout } from '../../core/engine/index.ts';
import { fileProblem } from '../files/index.ts';

const share = z.number().positive();
const errors = z.object({
  measurements: z.int(),
  median: z.number(),
  p90: z.number(),
  bias: z.number(),
});

const fileSchema = z.object({
  spillway_profile: z.literal(1),
  model: z.string(),
  gpu: z.string(),
  tensor_parallel_size: z.int().min(1),
  constants: z.object({
    host_seconds_per_step: share,
    matrix_share: share,
    attention_share: share,
    weight_memory_share: share,
    kv_memory_share: share,
    request_seconds: share,
  }),
  fit: z.object({
    sources: z.array(z.string()),
    decided: z.record(z.string(), z.number()),
    before: errors,
    fitted: errors,
    cross_validated: errors.optional(),
  }),
});

/** The content of the file, under its own names. */
export type CalibrationFile = z.infer<typeof fileSchema>;

/** The constants, and the engine that was measured. */
export interface MeasuredEngine {
  readonly model: string;
  readonly gpu: string;
  readonly tensorParallelSize: number;
  readonly constants: EngineConstants;
}

/** @throws {InputError} If the file is not a profile of `spillway calibrate`. */
export async function readMeasuredEngine(path: string): Promise<MeasuredEngine> {
  const { model, gpu, tensor_parallel_size, constants: c } = await readCalibrationFile(path);
  return {
    ...{ model, gpu, tensorParallelSize: tensor_parallel_size },
    constants: {
      hostSecondsPerStep: c.host_seconds_per_step,
      matrixShare: c.matrix_share,
      attentionShare: c.attention_share,
      weightMemoryShare: c.weight_memory_share,
      kvMemoryShare: c.kv_memory_share,
      requestSeconds: c.request_seconds,
    },
  };
}

/**
 * Reads the constants for an engine's steps. If another engine was measured, its shares of the
 * GPU's rates are used, and a note says so.
 *
 * @throws {InputError} If the file is not a profile of `spillway calibrate`.
 */
export async function readEngineConstants(
  path: string,
  layout: MeasuredLayout,
): Promise<{ readonly constants: EngineConstants; readonly notes: readonly string[] }> {
  const { model, gpu, tensorParallelSize, constants } = await readMeasuredEngine(path);
  const measured = `${model} on ${tensorParallelSize} × ${gpu}`;
  const wanted = `${layout.model.name} on ${layout.tensorParallelSize} × ${layout.gpu.name}`;
  const notes =
    measured === wanted
      ? []
      : [`${path} was measured with ${measured}; its shares are used for ${wanted}.`];
  return { constants, notes };
}

async function readCalibrationFile(path: string): Promise<CalibrationFile> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new InputError(`Cannot read the profile ${path}: ${fileProblem(cause)}.`, { cause });
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(
    `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; a profile is a directory of ` +
      'step tables, or a file from spillway calibrate.',
  );
}

// Reads the arguments of a recorded vLLM from its meta.json.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import { precisionNamed } from '../../core/engine/index.ts';
import { effectNotes, readKwargs, type Settings, vainSettings } from '../../core/layout/index.ts';
import { fileProblem } from '../../io/files/index.ts';

/** Values that vLLM itself counted and chose; the arguments are read by the table of settings. */
const metaSchema = z.object({
  model: z.string().nullish(),
  vllm_version: z.string().nullish(),
  engine_kwargs: z.looseObject({ model: z.string().nullish() }),
  kv_cache: z
    .object({
      num_gpu_blocks: z.int().min(1).nullish(),
      block_size: z.unknown(),
      gpu_memory_utilization: z.unknown(),
      enable_prefix_caching: z.unknown(),
      kv_cache_memory_bytes: z.unknown(),
    })
    .partial()
    .nullish(),
  hardware: z
    .object({
      device_name: z.string().nullish(),
      device_total_memory_bytes: z.number().positive().nullish(),
    })
    .nullish(),
});

/** The contents of the file. */
export interface EngineArgs {
  readonly model: string;
  /** Its arguments, replaced by what `kv_cache` recorded or the defaults of that version. */
  readonly settings: Settings & Required<Pick<Settings, 'blockSize' | 'gpuMemoryUtilization'>>;
  /** Number that vLLM counted when it started. */
  readonly numGpuBlocks: number | undefined;
  /** One sentence for each setting of the file that the model ignores. */
  readonly notes: readonly string[];
  readonly deviceName: string | undefined;
  readonly deviceMemoryBytes: number | undefined;
}

/**
 * Reads a `meta.json` of LLMServingSim's bench: `engine_kwargs` under vLLM's names and, where they
 * were recorded, `kv_cache` and `hardware`.
 *
 * @throws {InputError} If the file cannot be read or is invalid; names the key.
 */
export async function readEngineArgs(path: string): Promise<EngineArgs> {
  const parsed = metaSchema.safeParse(withKwargs(await readJson(path)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; expected is a meta.json ` +
        'with engine_kwargs under the names of vllm serve (model, max_num_seqs, …).',
    );
  }
  const { engine_kwargs: given, kv_cache: kv, hardware, vllm_version: version } = parsed.data;
  const model = given.model ?? parsed.data.model;
  if (typeof model !== 'string') {
    throw new InputError(`${path}: engine_kwargs.modelis missing; it must name the model.`);
  }
  const read = readKwargs(given, `${path}: engine_kwargs.`, 'recorded');
  const { num_gpu_blocks: counted, ...cache } = kv ?? {};
  const recorded = readKwargs(cache, `${path}: kv_cache.`, 'recorded').settings;
  // A count that was recorded with settings other than the arguments does not apply.
  const isRecorded = (['blockSize', 'gpuMemoryUtilization', 'kvCacheMemoryBytes'] as const).every(
    (name) =>
      read.settings[name] === undefined ||
      recorded[name] === undefined ||
      read.settings[name] === recorded[name],
  );
  const vain = vainSettings(read, 'recorded').filter(({ kind }) => kind === 'missing');
  return {
    model,
    settings: {
      blockSize: 16,
      gpuMemoryUtilization: /^0\.1?\d(\.|$)/.test(version ?? '0.19') ? 0.9 : 0.92,
      // A name such as Qwen3-8B-FP8 means weights that the model of the catalogue does not have.
      quantization: precisionNamed(model) ?? '',
      ...recorded,
      ...read.settings,
    },
    numGpuBlocks:
      read.settings.numGpuBlocksOverride ?? (isRecorded ? counted : undefined) ?? undefined,
    notes: [
      ...effectNotes(vain),
      ...(isRecorded || counted == null
        ? []
        : [
            'The recorded number of KV blocks belongs to other settings than engine_kwargs; it is computed instead.',
          ]),
    ],
    deviceName: hardware?.device_name ?? undefined,
    deviceMemoryBytes: hardware?.device_total_memory_bytes ?? undefined,
  };
}

/** Bytes may also end in `GiB`, `GB` and the like, and dtypes begin with `torch.`. */
function plainKwarg(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, number, unit = ''] = /^\s*([\d.]+)\s*([KMGT]i?)B\s*$/i.exec(value) ?? [];
  if (number === undefined) return value.replace(/^torch\./, '');
  const power = 'KMGT'.indexOf(unit.slice(0, 1).toUpperCase()) + 1;
  return Math.round(Number(number) * (unit.length > 1 ? 1024 : 1000) ** power);
}

/**
 * The arguments may also be at the top level, or be called `engine_args`; and names may have dashes, as
 * on a command line.
 */
function withKwargs(file: unknown): unknown {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return file;
  const named = file as Record<string, unknown>;
  const given =
    named['engine_kwargs'] ?? named['engine_args'] ?? ('max_num_seqs' in named ? named : undefined);
  if (typeof given !== 'object' || given === null) return file;
  const kwargs = Object.entries(given).map(([key, value]) => [
    key.replace(/^--/, '').replaceAll('-', '_'),
    plainKwarg(value),
  ]);
  return { ...named, engine_kwargs: Object.fromEntries(kwargs) };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new InputError(`Cannot read the engine arguments ${path}: ${fileProblem(cause)}.`, {
      cause,
    });
  }
}

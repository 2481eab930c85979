// A GPU from a YAML file of its datasheet's figures.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import { findGpu, type GpuSpec } from '../../core/engine/index.ts';

const positive = z.number().positive();
const share = z.number().positive().max(1.2);

const fileSchema = z.strictObject({
  name: z.string().min(1),
  /** What PyTorch reports as total memory. */
  memory_gib: positive,
  /** Dense bfloat16 throughput with fp32 accumulation, 10^12 operations per second. */
  tflops: positive,
  memory_gb_per_second: positive,
  link: z
    .strictObject({ kind: z.enum(['NVLink', 'PCIe']), gb_per_second: positive })
    .default({ kind: 'PCIe', gb_per_second: 25 }),
  /** Shares of the rates that kernels reach; those of an L40S unless given. */
  efficiency: z
    .strictObject({ matrix: share, attention: share, memory: share, link: share })
    .partial()
    .default({}),
  source: z.string().default('the file'),
});

/** @throws {InputError} If the file cannot be read, or does not hold a GPU. */
export async function readGpuFile(path: string): Promise<GpuSpec> {
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`Cannot read the GPU ${path}: ${reason}.`, { cause });
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${path}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}; a GPU has name, memory_gib, ` +
        'tflops, memory_gb_per_second, and may have link, efficiency and source.',
    );
  }
  const { link, efficiency, ...given } = parsed.data;
  const like = findGpu('L40S');
  return {
    name: given.name,
    memoryBytes: given.memory_gib * 2 ** 30,
    flopsPerSecond: given.tflops * 1e12,
    memoryBytesPerSecond: given.memory_gb_per_second * 1e9,
    link: { kind: link.kind, bytesPerSecond: link.gb_per_second * 1e9 },
    efficiency: {
      matrix: efficiency.matrix ?? like.efficiency.matrix,
      attention: efficiency.attention ?? like.efficiency.attention,
      memory: efficiency.memory ?? like.efficiency.memory,
      link: efficiency.link ?? like.efficiency.link,
    },
    isA100: false,
    source: given.source,
    efficiencySource: Object.keys(efficiency).length > 0 ? given.source : 'estimated from L40S',
  };
}

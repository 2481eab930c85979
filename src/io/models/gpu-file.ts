// Reads a GPU from the figures of its datasheet: a YAML file, or an entry as text.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { InputError } from '../../core/base/index.ts';
import { findGpu, type GpuSpec } from '../../core/engine/index.ts';
import { fileProblem } from '../files/index.ts';

const positive = z.number().positive();
const share = z.number().positive().max(1.2);

const fileSchema = z.strictObject({
  name: z.string().min(1),
  /** Total memory as PyTorch reports it. */
  memory_gib: positive,
  /** Dense bfloat16 throughput with fp32 accumulation, 10^12 operations per second. */
  tflops: positive,
  memory_gb_per_second: positive,
  link: z
    .strictObject({ kind: z.enum(['NVLink', 'PCIe']), gb_per_second: positive })
    .default({ kind: 'PCIe', gb_per_second: 25 }),
  /** Shares of the rates that kernels reach. @default Those of an L40S */
  efficiency: z
    .strictObject({ matrix: share, attention: share, memory: share, link: share })
    .partial()
    .default({}),
  source: z.string().default('the file'),
});

/** Maximum size of the file; a datasheet has a dozen lines. */
const fileBytesMax = 1 << 16;

/**
 * @param name A path, or an entry in braces.
 * @throws {InputError} If the file cannot be read or does not describe a GPU.
 */
export function readGpuFile(name: string): GpuSpec {
  const isEntry = name.trimStart().startsWith('{');
  const owner = isEntry ? 'The GPU entry' : name;
  let content: unknown;
  try {
    content = parse(isEntry ? name : textOf(name));
  } catch (cause) {
    const [reason = ''] = fileProblem(cause).split('\n');
    throw new InputError(`Cannot read the GPU ${name}: ${reason.replace(/[.:]$/, '')}.`, {
      cause,
    });
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `${owner}: ${issue?.path.join('.') || (isEntry ? 'it' : 'the file')}: ${issue?.message}; a GPU has name, memory_gib, ` +
        'tflops, memory_gb_per_second, and may have link, efficiency and source.',
    );
  }
  const { link, efficiency, ...figures } = parsed.data;
  const like = findGpu('L40S');
  return {
    name: figures.name,
    given: name,
    memoryBytes: figures.memory_gib * 2 ** 30,
    flopsPerSecond: figures.tflops * 1e12,
    memoryBytesPerSecond: figures.memory_gb_per_second * 1e9,
    link: { kind: link.kind, bytesPerSecond: link.gb_per_second * 1e9 },
    efficiency: {
      matrix: efficiency.matrix ?? like.efficiency.matrix,
      attention: efficiency.attention ?? like.efficiency.attention,
      memory: efficiency.memory ?? like.efficiency.memory,
      link: efficiency.link ?? like.efficiency.link,
    },
    isA100: false,
    source: figures.source,
    efficiencySource: Object.keys(efficiency).length > 0 ? figures.source : 'estimated from L40S',
  };
}

function textOf(path: string): string {
  const bytes = readFileSync(path);
  if (bytes.length > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`);
  return bytes.toString('utf8');
}

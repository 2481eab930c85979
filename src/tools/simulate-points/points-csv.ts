// Reads serving points from a CSV file with the columns of aiconfigurator's measured points.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import { precisionNamed, type WeightPrecision } from '../../core/engine/index.ts';
import { parseCsv } from '../../io/csv/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import { type PointLoad, pointLoadOf } from './point-load.ts';

/** The input of one row; lengths in tokens. */
export interface PointRow {
  /** 1 for the first line after the header. */
  readonly row: number;
  readonly system: string;
  readonly model: string;
  /** Precision of the weights; undefined: that of the checkpoint. */
  readonly precision: WeightPrecision | undefined;
  readonly tensorParallelSize: number;
  /** Number of groups that each compute the attention of a part of the requests. */
  readonly attentionDataParallelSize: number;
  /** Number of groups of GPUs that each have a part of the layers. */
  readonly pipelineParallelSize: number;
  /** Number of GPUs over which whole experts are spread. */
  readonly expertParallelSize: number;
  /** Number of engine cores that share the clients, each with its own GPUs. */
  readonly dataParallelSize: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Number of clients of each of `clientGroups`. */
  readonly clients: number;
  /** Number of groups of clients: where attention is data parallel, most rows count those of one group. */
  readonly clientGroups: number;
  readonly load: PointLoad;
  /** Whether this vLLM plans a step while the previous one runs. */
  readonly plansAhead: boolean;
  /** Whether this vLLM (0.11 and later) sums all-reduces through symmetric memory. */
  readonly hasSymmetricMemory: boolean;
  /** The row's version, such as `0.17.0`. */
  readonly version: string;
  /** Undefined if the file has no measurement. */
  readonly measuredTtftMs: number | undefined;
  readonly measuredTpotMs: number | undefined;
  /** All columns that name the engine, for grouping. */
  readonly group: string;
}

/** A row that cannot be predicted. */
export interface UnreadablePoint {
  readonly row: number;
  /** The cells that every answer repeats. */
  readonly asked: Readonly<Record<string, string>>;
  readonly error: string;
}

const needed = ['system', 'model_path', 'isl', 'osl', 'batch_size'];
const repeated = ['system', 'model_path', 'precision', 'tp_size', 'isl', 'osl', 'batch_size'];
const precisions: Readonly<Record<string, WeightPrecision | undefined>> = {
  ...{ '': undefined, auto: undefined },
  ...{ bf16: 'bf16', bfloat16: 'bf16', fp16: 'bf16', float16: 'bf16', half: 'bf16' },
};
/** Words for an empty cell in other tools' files. */
const empty = /^(nan|none|null|n\/a|-)$/i;

/**
 * Reads the columns system, model_path, isl, osl, batch_size; if present, precision, tp_size,
 * attention_dp_size, moe_tp_size, moe_ep_size, pp_size, dp_size, distinct_prompts, backend_version,
 * silicon_ttft_ms, silicon_tpot_ms; others are ignored. A row with a bad cell becomes an `UnreadablePoint`.
 *
 * @throws {InputError} If the file cannot be read or lacks a column.
 */
export async function readPoints(path: string): Promise<(PointRow | UnreadablePoint)[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`Cannot read the points ${path}: ${fileProblem(cause)}.`, { cause });
  });
  const { columns, rows } = await parseCsv(text, path);
  const names = columns.map((name) => name.trim().toLowerCase());
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new InputError(`${path}:1: there is no column ${missing}; needed: ${needed.join(', ')}.`);
  }
  return rows.map(({ cells }, index) => {
    const cell = (...spellings: string[]) => {
      const found = spellings.find((name) => names.includes(name));
      const text = found === undefined ? '' : (cells[names.indexOf(found)] ?? '').trim();
      return empty.test(text) ? '' : text;
    };
    try {
      return pointOf(cell, index + 1, names.includes('attention_dp_size'));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const asked = Object.fromEntries(repeated.map((name) => [name, cell(name)]));
      return { row: index + 1, asked, error: error.message };
    }
  });
}

/** Reads a file whose rows must all be valid, such as a benchmark's own. */
export async function readAllPoints(path: string): Promise<PointRow[]> {
  return (await readPoints(path)).map((line) => {
    if (!('error' in line)) return line;
    throw new InputError(`${path}: row ${line.row}: ${line.error}`);
  });
}

type Cell = (...spellings: string[]) => string;

function pointOf(cell: Cell, row: number, namesAttention: boolean): PointRow {
  const names = ['system', 'model_path', 'precision', 'tp_size', 'attention_dp_size'];
  const clients = neededWhole(cell, 'batch_size');
  const promptTokens = neededWhole(cell, 'isl');
  const layout = layoutOf(cell);
  const { attentionDataParallelSize: groups } = layout;
  return {
    row,
    system: textOf(cell, 'system'),
    model: textOf(cell, 'model_path'),
    precision: precisionOf(cell('precision')),
    ...layout,
    pipelineParallelSize: wholeOf(cell, 'pp_size', 'pp', 'pipeline_parallel_size') ?? 1,
    dataParallelSize: wholeOf(cell, 'dp_size', 'dp', 'data_parallel_size') ?? 1,
    expertParallelSize: Number(cell('moe_ep_size')) || 1,
    promptTokens,
    outputTokens: neededWhole(cell, 'osl'),
    clients,
    load: pointLoadOf(cell, {
      distinctPrompts: wholeOf(cell, 'distinct_prompts'),
      ...{ clients, promptTokens, groups, namesAttention },
    }),
    plansAhead: plansAheadSince(cell('backend_version')),
    // A row without a version is older than 0.11, which no row with one is.
    hasSymmetricMemory: cell('backend_version') !== '',
    version: cell('backend_version'),
    measuredTtftMs: measuredOf(cell, 'silicon_ttft_ms'),
    measuredTpotMs: measuredOf(cell, 'silicon_tpot_ms'),
    group: [...names, 'moe_tp_size', 'moe_ep_size'].map((name) => cell(name) || '-').join(' '),
  };
}

function textOf(cell: Cell, name: string): string {
  const text = cell(name);
  if (text !== '') return text;
  throw new InputError(`${name} is empty.`);
}

function neededWhole(cell: Cell, name: string): number {
  const value = wholeOf(cell, name);
  if (value !== undefined) return value;
  throw new InputError(`${name} is empty; it must be a whole number of at least 1.`);
}

function wholeOf(cell: Cell, ...spellings: string[]): number | undefined {
  const text = cell(...spellings);
  if (text === '') return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InputError(`${spellings[0]} must be a whole number of at least 1, not "${text}".`);
}

function precisionOf(text: string): WeightPrecision | undefined {
  const name = text.toLowerCase();
  if (name in precisions) return precisions[name];
  const precision = precisionNamed(name);
  if (precision !== undefined) return precision;
  throw new InputError(
    `precision must be bf16, fp16, fp8, int8, fp4, nvfp4, mxfp4, int4, awq, gptq or the like, or ` +
      `empty for that of the checkpoint, not "${text}".`,
  );
}

/** Reads a measurement, which is for comparisons only; anything but a positive number is none. */
function measuredOf(cell: Cell, name: string): number | undefined {
  const value = Number(cell(name));
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

/** `--async-scheduling` is vLLM's default since 0.14; a row without a version counts as older. */
function plansAheadSince(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (minor === undefined) return /nightly|dev/.test(version);
  return Number(major) > 0 || Number(minor) >= 14;
}

/**
 * Returns the groups of GPUs. Where attention is data parallel, the file's tp_size counts all GPUs of the
 * engine, whose attention is split into attention_dp_size groups; it counts the GPUs of one group only if the
 * experts are spread over more GPUs, or tp_size is 1. Where that column is empty, experts on more GPUs than
 * tp_size imply groups, whose clients are counted together.
 *
 * Engines of n GPUs that InferenceX started with tensor parallelism and with experts spread over the n GPUs are in the
 * file with n groups and experts on n² GPUs: no script had groups (Kimi-K2.5, MiniMax-M2.5 in fp8), or few of the rows
 * (MiniMax-M2.5 in fp4, 256 to 1,024 clients of 1,024 tokens).
 */
function layoutOf(cell: Cell) {
  const size = wholeOf(cell, 'tp_size', 'tp', 'tensor_parallel_size') ?? 1;
  const groups = wholeOf(cell, 'attention_dp_size');
  const expertGpus = Number(cell('moe_tp_size')) * Number(cell('moe_ep_size'));
  if (groups === undefined) {
    const told = expertGpus / size;
    const isTold = Number.isInteger(told) && told > 1;
    const attentionDataParallelSize = isTold ? told : 1;
    return { tensorParallelSize: size, attentionDataParallelSize, clientGroups: 1 };
  }
  if (size === groups && size > 1 && Number(cell('moe_ep_size')) === size ** 2) {
    return { tensorParallelSize: size, attentionDataParallelSize: 1, clientGroups: groups };
  }
  const isOfGroup =
    size === 1 || size % groups !== 0 || (groups !== size && expertGpus === size * groups);
  return {
    tensorParallelSize: isOfGroup ? size : size / groups,
    attentionDataParallelSize: groups,
    clientGroups: groups,
  };
}

// Serving points from a CSV file, in the columns of aiconfigurator's measured points.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import { precisionNamed, type WeightPrecision } from '../../core/engine/index.ts';
import { fileProblem } from '../../io/paths/index.ts';
import { csvRecords } from './csv-records.ts';

/** What one row asks; lengths in tokens. */
export interface PointRow {
  /** 1 for the first line after the header. */
  readonly row: number;
  readonly system: string;
  readonly model: string;
  /** Undefined: that of the checkpoint. */
  readonly precision: WeightPrecision | undefined;
  readonly tensorParallelSize: number;
  /** Groups that each compute the attention of a part of the requests. */
  readonly attentionDataParallelSize: number;
  /** Groups of GPUs with a part of the layers each. */
  readonly pipelineParallelSize: number;
  /** Engine cores that share the clients, each with GPUs of its own. */
  readonly dataParallelSize: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of each group, where attention is data parallel. */
  readonly clients: number;
  /** Whether that vLLM plans a step while the one before runs. */
  readonly plansAhead: boolean;
  /** As the row has it, such as `0.17.0`. */
  readonly version: string;
  /** Undefined where the file has no measurement. */
  readonly measuredTtftMs: number | undefined;
  readonly measuredTpotMs: number | undefined;
  /** All columns that name the engine, for grouping. */
  readonly group: string;
}

/** A row that asks nothing that could be answered. */
export interface UnreadablePoint {
  readonly row: number;
  /** What it has in the columns that every answer repeats. */
  readonly asked: Readonly<Record<string, string>>;
  readonly error: string;
}

const needed = ['system', 'model_path', 'isl', 'osl', 'batch_size'];
const repeated = ['system', 'model_path', 'precision', 'tp_size', 'isl', 'osl', 'batch_size'];
const precisions: Readonly<Record<string, WeightPrecision | undefined>> = {
  ...{ '': undefined, auto: undefined },
  ...{ bf16: 'bf16', bfloat16: 'bf16', fp16: 'bf16', float16: 'bf16', half: 'bf16' },
};
/** How files of others say that a cell is empty. */
const empty = /^(nan|none|null|n\/a|-)$/i;

/**
 * Reads the columns system, model_path, isl, osl, batch_size; if there, precision, tp_size,
 * attention_dp_size, moe_tp_size, moe_ep_size, pp_size, dp_size, backend_version, silicon_ttft_ms,
 * silicon_tpot_ms; others are passed over. A row with a bad cell is one that says so.
 *
 * @throws {InputError} If the file cannot be read or lacks a column.
 */
export async function readPoints(path: string): Promise<(PointRow | UnreadablePoint)[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`Cannot read the points ${path}: ${fileProblem(cause)}.`, { cause });
  });
  const [header = [], ...lines] = csvRecords(text);
  const names = header.map((name) => name.trim().toLowerCase());
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new InputError(`${path}:1: there is no column ${missing}; needed: ${needed.join(', ')}.`);
  }
  return lines.map((cells, index) => {
    const cell = (...spellings: string[]) => {
      const found = spellings.find((name) => names.includes(name));
      const text = found === undefined ? '' : (cells[names.indexOf(found)] ?? '').trim();
      return empty.test(text) ? '' : text;
    };
    try {
      return pointOf(cell, index + 1);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const asked = Object.fromEntries(repeated.map((name) => [name, cell(name)]));
      return { row: index + 1, asked, error: error.message };
    }
  });
}

/** Rows of a file of which each must be a point, as a benchmark's own is. */
export async function readAllPoints(path: string): Promise<PointRow[]> {
  return (await readPoints(path)).map((line) => {
    if (!('error' in line)) return line;
    throw new InputError(`${path}: row ${line.row}: ${line.error}`);
  });
}

type Cell = (...spellings: string[]) => string;

function pointOf(cell: Cell, row: number): PointRow {
  const names = ['system', 'model_path', 'precision', 'tp_size', 'attention_dp_size'];
  return {
    row,
    system: textOf(cell, 'system'),
    model: textOf(cell, 'model_path'),
    precision: precisionOf(cell('precision')),
    ...layoutOf(cell),
    pipelineParallelSize: wholeOf(cell, 'pp_size', 'pp', 'pipeline_parallel_size') ?? 1,
    dataParallelSize: wholeOf(cell, 'dp_size', 'dp', 'data_parallel_size') ?? 1,
    promptTokens: neededWhole(cell, 'isl'),
    outputTokens: neededWhole(cell, 'osl'),
    clients: neededWhole(cell, 'batch_size'),
    plansAhead: plansAheadSince(cell('backend_version')),
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

/** For comparisons only: what is no number is no measurement. */
function measuredOf(cell: Cell, name: string): number | undefined {
  const value = Number(cell(name));
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

/** vLLM's `--async-scheduling` is the default since 0.14; a row without a version is older than that. */
function plansAheadSince(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (minor === undefined) return /nightly|dev/.test(version);
  return Number(major) > 0 || Number(minor) >= 14;
}

/**
 * GPUs in groups. Where attention is data parallel, the file's tp_size counts all GPUs of the engine,
 * whose attention is cut into attention_dp_size groups; only where the experts say that there are more
 * GPUs, or tp_size is 1, is it that of a group. Where that column is empty, experts over more GPUs
 * than tp_size tell as much.
 */
function layoutOf(cell: Cell) {
  const size = wholeOf(cell, 'tp_size', 'tp', 'tensor_parallel_size') ?? 1;
  const groups = wholeOf(cell, 'attention_dp_size');
  const expertGpus = Number(cell('moe_tp_size')) * Number(cell('moe_ep_size'));
  if (groups === undefined) {
    const told = expertGpus / size;
    const isTold = Number.isInteger(told) && told > 1;
    return { tensorParallelSize: size, attentionDataParallelSize: isTold ? told : 1 };
  }
  const isOfGroup =
    size === 1 || size % groups !== 0 || (groups !== size && expertGpus === size * groups);
  return {
    tensorParallelSize: isOfGroup ? size : size / groups,
    attentionDataParallelSize: groups,
  };
}

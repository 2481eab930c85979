// Serving points from a CSV file, in the columns of aiconfigurator's measured points.
import { readFile } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import type { WeightPrecision } from '../../core/engine/index.ts';

/** What one row asks; lengths in tokens. */
export interface PointRow {
  /** 1 for the first line after the header. */
  readonly row: number;
  readonly system: string;
  readonly model: string;
  readonly precision: WeightPrecision;
  readonly tensorParallelSize: number;
  /** Groups that each compute the attention of a part of the requests. */
  readonly attentionDataParallelSize: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of each group, where attention is data parallel. */
  readonly clients: number;
  /** Whether that vLLM plans a step while the one before runs. */
  readonly plansAhead: boolean;
  /** Undefined where the file has no measurement. */
  readonly measuredTtftMs: number | undefined;
  readonly measuredTpotMs: number | undefined;
  /** All columns that name the engine, for grouping. */
  readonly group: string;
}

const needed = ['system', 'model_path', 'precision', 'tp_size', 'isl', 'osl', 'batch_size'];
const precisions: Readonly<Record<string, WeightPrecision>> = {
  ...{ '': 'bf16', bf16: 'bf16', bfloat16: 'bf16', fp16: 'bf16', float16: 'bf16' },
  ...{ fp8: 'fp8', int8: 'fp8', fp4: 'fp4', nvfp4: 'fp4', mxfp4: 'fp4', int4: 'int4' },
};

/**
 * Reads the columns system, model_path, precision, tp_size, isl, osl, batch_size; if there,
 * attention_dp_size, moe_tp_size, moe_ep_size, silicon_ttft_ms, silicon_tpot_ms.
 *
 * @throws {InputError} If the file cannot be read, lacks a column, or a cell is not a number.
 */
export async function readPoints(path: string): Promise<PointRow[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`Cannot read the points ${path}: ${reason}.`, { cause });
  });
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const names = header.split(',').map((name) => name.trim());
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new InputError(`${path}:1: there is no column ${missing}; needed: ${needed.join(', ')}.`);
  }
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const cells = line.split(',').map((cell) => cell.trim());
    const cell = (name: string) => cells[names.indexOf(name)] ?? '';
    return [pointOf(cell, index + 1, `${path}:${index + 2}`)];
  });
}

function pointOf(cell: (name: string) => string, row: number, where: string): PointRow {
  const whole = (name: string): number => {
    const value = Number(cell(name));
    if (Number.isSafeInteger(value) && value >= 1) return value;
    throw new InputError(
      `${where}: ${name} must be a whole number of at least 1, not "${cell(name)}".`,
    );
  };
  const precision = precisions[cell('precision').toLowerCase()];
  if (precision === undefined) {
    throw new InputError(
      `${where}: precision must be one of ${Object.keys(precisions).filter(Boolean).join(', ')} or ` +
        `empty, not "${cell('precision')}".`,
    );
  }
  const measured = (name: string) => (cell(name) === '' ? undefined : Number(cell(name)));
  const names = ['system', 'model_path', 'precision', 'tp_size', 'attention_dp_size'];
  return {
    row,
    system: cell('system'),
    model: cell('model_path'),
    precision,
    ...layoutOf(cell, whole('tp_size')),
    promptTokens: whole('isl'),
    outputTokens: whole('osl'),
    clients: whole('batch_size'),
    plansAhead: plansAheadSince(cell('backend_version')),
    measuredTtftMs: measured('silicon_ttft_ms'),
    measuredTpotMs: measured('silicon_tpot_ms'),
    group: [...names, 'moe_tp_size', 'moe_ep_size'].map((name) => cell(name) || '-').join(' '),
  };
}

/** vLLM's `--async-scheduling` is the default since 0.14; a row without a version is older than that. */
function plansAheadSince(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (minor === undefined) return /nightly|dev/.test(version);
  return Number(major) > 0 || Number(minor) >= 14;
}

/**
 * With attention_dp_size above 1 the engine has tp_size GPUs, each computing the attention of its
 * own requests. Where that column is empty, experts over more GPUs than tp_size tell as much.
 */
function layoutOf(cell: (name: string) => string, tensorParallelSize: number) {
  if (Number(cell('attention_dp_size')) > 1) {
    return { tensorParallelSize: 1, attentionDataParallelSize: tensorParallelSize };
  }
  const expertGpus = Number(cell('moe_tp_size')) * Number(cell('moe_ep_size'));
  const groups = cell('attention_dp_size') === '' ? expertGpus / tensorParallelSize : 1;
  return {
    tensorParallelSize,
    attentionDataParallelSize: Number.isInteger(groups) && groups > 1 ? groups : 1,
  };
}

// A measured step profile: the duration of each part of a step on one GPU with one model.
import { InputError, numberInCell, selectColumns, type TextTable } from '../../base/index.ts';
import { type Grid, gridOf, type Samples, samplesOf } from './interpolation.ts';

/** Measured times in microseconds. Times of layer operations are for one layer. */
export interface StepProfile {
  /** One layer's attention over (prefill chunk, decodes, prefill context, decode context). */
  readonly attention: Grid;
  /** By operation, over the tokens in the step. */
  readonly dense: ReadonlyMap<string, Samples>;
  /** By operation, over the sequences in the step. */
  readonly perSequence: ReadonlyMap<string, Samples>;
  /** One layer's experts over (tokens, activated experts); undefined for a dense model. */
  readonly experts: Grid | undefined;
  /**
   * One layer's experts on one of several GPUs that share them (`ep`), by the number of GPUs: over (tokens
   * of all GPUs, experts activated on one). LLMServingSim measures with that share of the experts and of
   * each token's choices.
   */
  readonly sharedExperts?: ReadonlyMap<number, Grid> | undefined;
}

/** The tables of a profile directory. */
export interface ProfileTables {
  /**
   * Columns prefill_chunk, kv_prefill, n_decode, kv_decode, time_us. Newer profilers add `layer` and
   * `decode_q_len`: only their rows of `attention` with one query per decode are used.
   */
  readonly attention: TextTable;
  /** Columns layer, tokens, time_us. */
  readonly dense: TextTable;
  /** Columns layer, sequences, time_us. If missing, `fillProfileGaps` computes it. */
  readonly perSequence?: TextTable | undefined;
  /** Mixtures of experts only: columns tokens, activated_experts, time_us, and optionally ep. */
  readonly experts?: TextTable | undefined;
}

/**
 * Parses the profile tables of LLMServingSim (`profiler/perf/GPU/MODEL/tpN`).
 *
 * @throws {InputError} If a table lacks a column or contains anything but numbers.
 */
export function parseStepProfile(tables: ProfileTables): StepProfile {
  return {
    attention: attentionGrid(tables.attention),
    dense: samplesByLayer(tables.dense, 'tokens'),
    perSequence:
      tables.perSequence === undefined
        ? new Map()
        : samplesByLayer(tables.perSequence, 'sequences'),
    experts: tables.experts === undefined ? undefined : expertGrid(tables.experts, 1),
    sharedExperts: tables.experts && sharedExpertGrids(tables.experts),
  };
}

function attentionGrid(table: TextTable): Grid {
  const { source } = table;
  const columns = ['prefill_chunk', 'n_decode', 'kv_prefill', 'kv_decode', 'time_us'];
  const optional = table.columns.filter((name) => name === 'layer' || name === 'decode_q_len');
  const layerAt = optional.indexOf('layer');
  const queriesAt = optional.indexOf('decode_q_len');
  const rows = selectColumns(table, [...columns, ...optional]).filter(({ cells }) => {
    const [layer, queries] = [cells[columns.length + layerAt], cells[columns.length + queriesAt]];
    return (layerAt < 0 || layer === 'attention') && (queriesAt < 0 || Number(queries) <= 1);
  });
  if (rows.length === 0) throw new InputError(`${source} has no measurement of attention`);
  return gridOf(
    rows.map(({ cells }) =>
      cells.slice(0, columns.length).map((cell) => numberInCell(cell, source)),
    ),
  );
}

/** Grid of one degree of expert parallelism (`ep`); a table without that column has degree 1. */
function expertGrid(table: TextTable, degree: number): Grid {
  const rows = expertRows(table).filter(([, , , ep]) => ep === degree);
  if (rows.length === 0)
    throw new InputError(`${table.source} has no measurement without expert parallelism`);
  return gridOf(rows.map((row) => row.slice(0, 3)));
}

function sharedExpertGrids(table: TextTable): Map<number, Grid> {
  const degrees = new Set(expertRows(table).map(([, , , ep = 1]) => ep));
  degrees.delete(1);
  return new Map([...degrees].map((degree) => [degree, expertGrid(table, degree)]));
}

function expertRows(table: TextTable): number[][] {
  const hasDegree = table.columns.includes('ep');
  const columns = ['tokens', 'activated_experts', 'time_us', ...(hasDegree ? ['ep'] : [])];
  return selectColumns(table, columns).map(({ cells }) => {
    const numbers = cells.map((cell) => numberInCell(cell, table.source));
    return hasDegree ? numbers : [...numbers, 1];
  });
}

function samplesByLayer(table: TextTable, axis: string): Map<string, Samples> {
  const { source } = table;
  const points = new Map<string, [number, number][]>();
  for (const { cells } of selectColumns(table, ['layer', axis, 'time_us'])) {
    const [layer = '', at = '', time = ''] = cells;
    const list = points.get(layer) ?? [];
    points.set(layer, list);
    list.push([numberInCell(at, source), numberInCell(time, source)]);
  }
  return new Map([...points].map(([layer, list]) => [layer, samplesOf(list)]));
}

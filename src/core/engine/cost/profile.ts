// A measured step profile: how long each part of a step took on one GPU with one model.
import { InputError } from '../../base/index.ts';
import { csvColumns, parseCsvNumber, parseCsvTable } from './csv-table.ts';
import { type Grid, gridOf, type Samples, samplesOf } from './interpolation.ts';

/** Measured times in microseconds. Those of one layer are of one layer. */
export interface StepProfile {
  /** One layer's attention over (prefill chunk, decodes, prefill context, decode context). */
  readonly attention: Grid;
  /** By operation, over the tokens in the step. */
  readonly dense: ReadonlyMap<string, Samples>;
  /** By operation, over the sequences in the step. */
  readonly perSequence: ReadonlyMap<string, Samples>;
  /** One layer's experts over (tokens, activated experts); undefined for a dense model. */
  readonly experts: Grid | undefined;
}

/** The tables of a profile directory, as CSV text. */
export interface ProfileTables {
  /**
   * Columns prefill_chunk, kv_prefill, n_decode, kv_decode, time_us. Newer profilers add `layer`
   * and `decode_q_len`: of those the rows of `attention` with one query a decode count.
   */
  readonly attention: string;
  /** Columns layer, tokens, time_us. */
  readonly dense: string;
  /** Columns layer, sequences, time_us. Without it `fillProfileGaps` stands in. */
  readonly perSequence?: string | undefined;
  /** Mixtures of experts only: columns tokens, activated_experts, time_us, and perhaps ep. */
  readonly experts?: string | undefined;
}

/**
 * Parses the profile tables of LLMServingSim (`profiler/perf/GPU/MODEL/tpN`).
 *
 * @throws {InputError} If a table lacks a column or holds something else than numbers.
 */
export function parseStepProfile(tables: ProfileTables): StepProfile {
  return {
    attention: attentionGrid(tables.attention),
    dense: samplesByLayer(tables.dense, 'dense.csv', 'tokens'),
    perSequence:
      tables.perSequence === undefined
        ? new Map()
        : samplesByLayer(tables.perSequence, 'per_sequence.csv', 'sequences'),
    experts: tables.experts === undefined ? undefined : expertGrid(tables.experts),
  };
}

function attentionGrid(text: string): Grid {
  const source = 'attention.csv';
  const columns = ['prefill_chunk', 'n_decode', 'kv_prefill', 'kv_decode', 'time_us'];
  const optional = csvColumns(text).filter((name) => name === 'layer' || name === 'decode_q_len');
  const layerAt = optional.indexOf('layer');
  const queriesAt = optional.indexOf('decode_q_len');
  const rows = parseCsvTable(text, source, [...columns, ...optional]).filter((row) => {
    const [layer, queries] = [row[columns.length + layerAt], row[columns.length + queriesAt]];
    return (layerAt < 0 || layer === 'attention') && (queriesAt < 0 || Number(queries) <= 1);
  });
  if (rows.length === 0) throw new InputError(`${source} holds no measurement of attention`);
  return gridOf(
    rows.map((row) => row.slice(0, columns.length).map((cell) => parseCsvNumber(cell, source))),
  );
}

/** Without expert parallelism: of a table by degree (`ep`) the rows of degree 1. */
function expertGrid(text: string): Grid {
  const source = 'moe.csv';
  const degreed = csvColumns(text).includes('ep');
  const columns = ['tokens', 'activated_experts', 'time_us', ...(degreed ? ['ep'] : [])];
  const rows = parseCsvTable(text, source, columns)
    .map((row) => row.map((cell) => parseCsvNumber(cell, source)))
    .filter(([, , , degree]) => degree === undefined || degree === 1);
  if (rows.length === 0)
    throw new InputError(`${source} holds no measurement without expert parallelism`);
  return gridOf(rows.map((row) => row.slice(0, 3)));
}

function samplesByLayer(text: string, source: string, axis: string): Map<string, Samples> {
  const points = new Map<string, [number, number][]>();
  for (const [layer = '', at = '', time = ''] of parseCsvTable(text, source, [
    'layer',
    axis,
    'time_us',
  ])) {
    const list = points.get(layer) ?? [];
    points.set(layer, list);
    list.push([parseCsvNumber(at, source), parseCsvNumber(time, source)]);
  }
  return new Map([...points].map(([layer, list]) => [layer, samplesOf(list)]));
}

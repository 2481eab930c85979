// A measured step profile: how long each part of a step took on one GPU with one model.
import { InputError } from '../../base/index.ts';
import { parseCsvNumber, parseCsvTable } from './csv-table.ts';
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
  /** Columns prefill_chunk, kv_prefill, n_decode, kv_decode, time_us. */
  readonly attention: string;
  /** Columns layer, tokens, time_us. */
  readonly dense: string;
  /** Columns layer, sequences, time_us. */
  readonly perSequence: string;
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
    perSequence: samplesByLayer(tables.perSequence, 'per_sequence.csv', 'sequences'),
    experts: tables.experts === undefined ? undefined : expertGrid(tables.experts),
  };
}

function attentionGrid(text: string): Grid {
  const source = 'attention.csv';
  const columns = ['prefill_chunk', 'n_decode', 'kv_prefill', 'kv_decode', 'time_us'];
  const rows = parseCsvTable(text, source, columns);
  if (rows.length === 0) throw new InputError(`${source} holds no measurement`);
  return gridOf(rows.map((row) => row.map((cell) => parseCsvNumber(cell, source))));
}

/** Without expert parallelism: of a table by degree (`ep`) the rows of degree 1. */
function expertGrid(text: string): Grid {
  const source = 'moe.csv';
  const degreed = text.slice(0, text.indexOf('\n')).split(',').includes('ep');
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

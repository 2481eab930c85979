// Two saved runs of the same load, compared as if they had been taken in turns: their blocks have the same requests.
import { InputError, type Random } from '../../core/base/index.ts';
import {
  type Block,
  blockOf,
  type Comparison,
  type ComparisonLimits,
  compareBlocks,
  type ResponseLatencies,
} from '../../core/comparison/index.ts';
import { differences, loadOf, type SavedResponse, type SavedRun } from '../runs/index.ts';
import { resultWarnings } from './compare-summaries.ts';
import { pairsFor } from './pairs.ts';

/** A run with its responses. */
export interface MeasuredRun {
  readonly run: SavedRun;
  readonly responses: readonly SavedResponse[];
}

export interface RunComparison {
  readonly comparison: Comparison;
  /** Requests of each block. */
  readonly blockRequests: number;
}

/** Said of each comparison of saved runs. */
const apart =
  'The runs did not alternate: whatever else changed between them counts as a difference of B.';

/** Differences of environments that are named. */
const namedMax = 5;

/**
 * Compares run B with run A. Of a run that was interrupted, only the blocks that both have are compared.
 *
 * @param pairs Number of pairs of blocks. @default by the number of requests
 * @throws {InputError} If they are not of the same load.
 */
export function compareRuns(
  a: MeasuredRun,
  b: MeasuredRun,
  limits: ComparisonLimits,
  random: Random,
  pairs?: number,
): RunComparison {
  const [loadA, loadB] = [loadOf(a.run), loadOf(b.run)];
  if (loadA !== loadB) {
    throw new InputError(
      `${a.run.path} and ${b.run.path} are not runs of the same load: "${loadA}" and "${loadB}". Measure both with the same flags.`,
    );
  }
  const requests = Math.min(a.responses.length, b.responses.length);
  const count = Math.max(1, Math.min(pairs ?? pairsFor(requests), requests));
  const blockRequests = Math.floor(requests / count);
  const [blocksA, blocksB] = [a, b].map(({ responses }) => blocksOf(responses, blockRequests));
  const paired = Array.from({ length: blockRequests === 0 ? 0 : count }, (_, index) => ({
    a: blocksA?.[index] as Block,
    b: blocksB?.[index] as Block,
  }));
  const comparison = compareBlocks(paired, limits, random);
  const warnings = [
    ...comparison.warnings,
    apart,
    ...resultWarnings(a.run, b.run),
    ...environmentWarning(a.run, b.run),
  ];
  return { comparison: { ...comparison, warnings }, blockRequests };
}

/** Blocks of consecutive requests, by the time at which they were due. */
function blocksOf(responses: readonly SavedResponse[], size: number): readonly Block[] {
  const inOrder = responses.toSorted((x, y) => x.due - y.due);
  return Array.from({ length: size === 0 ? 0 : Math.floor(inOrder.length / size) }, (_, index) =>
    blockOf(inOrder.slice(index * size, (index + 1) * size).map(latenciesFromDue), size),
  );
}

function latenciesFromDue(response: SavedResponse): ResponseLatencies | undefined {
  const { at, due, error, ttftMs, tpotMs, e2eMs } = response;
  if (error !== undefined) return undefined;
  const lateMs = 1000 * (at - due);
  return {
    ttft: ttftMs === undefined ? undefined : ttftMs + lateMs,
    tpot: tpotMs,
    e2el: e2eMs === undefined ? undefined : e2eMs + lateMs,
  };
}

function environmentWarning(a: SavedRun, b: SavedRun): string[] {
  // The version of the server is often what is compared.
  const found = differences(a.environment, b.environment).filter(
    ({ path }) => !/^(engines|git)\b/.test(path),
  );
  if (found.length === 0) return [];
  const named = found.slice(0, namedMax).map(({ path, a, b }) => `${path} ${a} → ${b}`);
  const more = found.length > namedMax ? ` and ${found.length - namedMax} more` : '';
  return [`Their environments differ: ${named.join(', ')}${more}.`];
}

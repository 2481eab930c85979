// Comparisons of runs that --run-dir has written.
import { InputError, seededRandom } from '../../core/base/index.ts';
import type { ComparisonLimits } from '../../core/comparison/index.ts';
import {
  type ComparedSide,
  type ComparedView,
  compareRuns,
  compareSummaries,
  historyOf,
  type MeasuredRun,
  type Regression,
  regressionIn,
  type SummaryComparison,
} from '../../tools/compare/index.ts';
import { listRuns, loadOf, readResponses, readRun, type SavedRun } from '../../tools/runs/index.ts';
import { warnOfRun } from '../warn-of-run.ts';

export interface SavedOptions {
  readonly limits: ComparisonLimits;
  readonly seed: number;
  /** Pairs of blocks. @default by the number of requests */
  readonly pairs: number | undefined;
}

/** @throws {InputError} If one is no run, or they are not of the same load. */
export async function betweenRuns(
  folderA: string,
  folderB: string,
  options: SavedOptions,
): Promise<ComparedView> {
  const [a, b] = await Promise.all([folderA, folderB].map(measuredRun));
  return viewOf(a as MeasuredRun, b as MeasuredRun, options);
}

/**
 * Compares two results of `vllm bench serve`: with a verdict if both have a value per request, else by their summaries.
 *
 * @throws {InputError} If they are not of the same load.
 */
export function betweenResults(
  a: SavedRun,
  b: SavedRun,
  options: SavedOptions,
): ComparedView | SummaryComparison {
  if (a.responses === undefined || b.responses === undefined) return compareSummaries(a, b);
  const measuredOf = (run: SavedRun) => ({ run, responses: run.responses ?? [] });
  return viewOf(measuredOf(a), measuredOf(b), options);
}

/**
 * Compares a run with the newest one before it that has a label, and looks for the run since which the history is worse.
 *
 * @param saved.run Folder of the run. @default the newest in the history
 * @throws {InputError} If there is nothing to compare it with.
 */
export async function againstHistory(
  saved: { readonly history: string; readonly label: string; readonly run: string | undefined },
  options: SavedOptions,
): Promise<ComparedView & { readonly regression: Record<string, unknown> | undefined }> {
  const { history, label } = saved;
  const runs = await listRuns(history, warnOfRun);
  const newest = saved.run === undefined ? runs.at(-1) : await readRun(saved.run);
  if (newest === undefined) {
    throw new InputError(
      `${history}: no runs there. Write some with bench serve --run-dir ${history}.`,
    );
  }
  const before = historyOf(newest, runs, label);
  const last = before.at(-1);
  if (last === undefined) {
    throw new InputError(
      `${history} has no complete run with the label "${label}" and the load of ${newest.path} before it: "${loadOf(newest)}". Write one with --run-dir ${history} --label ${label}.`,
    );
  }
  const b = await measured(newest);
  const view = viewOf(await measured(last), b, options);
  const all = [...(await Promise.all(before.map(measured))), b];
  const regression = regressionIn(all, options.limits, seededRandom(options.seed));
  if (regression === undefined) return { ...view, regression: undefined };
  return {
    ...view,
    since: regressionText(regression),
    regression: { good: runJson(regression.good), bad: runJson(regression.bad) },
  };
}

function viewOf(
  a: MeasuredRun,
  b: MeasuredRun,
  { limits, seed, pairs }: SavedOptions,
): ComparedView {
  const { comparison, blockRequests } = compareRuns(a, b, limits, seededRandom(seed), pairs);
  return {
    ...{ a: sideOf(a.run), b: sideOf(b.run) },
    ...{ comparison, limits, blockRequests, seed, seconds: undefined },
    isPartial: a.run.status !== 0 || b.run.status !== 0,
    gone: undefined,
  };
}

function sideOf(run: SavedRun): ComparedSide {
  const model = run.result?.['model_id'];
  return {
    name: run.path,
    model: typeof model === 'string' ? model : '',
    origin: { run: run.path, ...runJson(run) },
  };
}

function runJson(run: SavedRun): Record<string, unknown> {
  const commit = commitOf(run) ?? null;
  return { path: run.path, label: run.label ?? null, started_at: run.startedAt, commit };
}

function regressionText({ good, bad }: Regression): string {
  const [from, to] = [commitOf(good), commitOf(bad)];
  const hint =
    from === undefined || to === undefined || from === to
      ? ''
      : ` Commits between them: git log ${from.slice(0, 12)}..${to.slice(0, 12)}.`;
  return `${bad.path}; the last run that was no worse than the best is ${good.path}.${hint}`;
}

/** The commit of the folder in which the run was started. */
function commitOf({ environment }: SavedRun): string | undefined {
  const git = environment?.['git'];
  const commit =
    typeof git === 'object' && git !== null && 'commit' in git ? git.commit : undefined;
  return typeof commit === 'string' ? commit : undefined;
}

async function measuredRun(folder: string): Promise<MeasuredRun> {
  return measured(await readRun(folder));
}

async function measured(run: SavedRun): Promise<MeasuredRun> {
  return { run, responses: await readResponses(run) };
}

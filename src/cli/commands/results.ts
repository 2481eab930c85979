// `spillway results` and `spillway report`: the runs that --run-dir has written.
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { writeOutput } from '../../io/files/index.ts';
import {
  listRuns,
  picturedMax,
  readResponses,
  readResultFile,
  readRun,
  resultFilesIn,
  runsJson,
  runsPage,
  runsTable,
  type SavedRun,
} from '../../tools/runs/index.ts';
import { warnOfRun } from '../warn-of-run.ts';

/** The command `results`. */
export function resultsCommand(): Command {
  return new Command('results')
    .description('List the runs that bench --run-dir has written to a folder.')
    .argument('[folder]', 'folder of runs, or a result of vllm bench serve', 'runs')
    .option('--json', 'the list as JSON')
    .exitOverride()
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const runs = await runsIn(folder);
      process.stdout.write(json ? `${JSON.stringify(runsJson(runs))}\n` : runsTable(runs));
    });
}

/** The command `report`. */
export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Write one page about runs: their list, trends of equal loads, the last against the one before, differences of their environments, and charts.',
    )
    .argument('<folders...>', 'folders of runs, runs, or results of vllm bench serve')
    .option('--html <file>', 'the page (default: report.html in the first folder)')
    .exitOverride()
    .action(report);
}

async function report(
  folders: readonly string[],
  { html }: { readonly html?: string },
): Promise<void> {
  const found = await Promise.all(folders.map(runsIn));
  const runs = found.flat().sort((a, b) => a.startedAt.localeCompare(b.startedAt));
  if (runs.length === 0) {
    throw new InputError(
      `${folders.join(', ')}: no runs there. Write some with --run-dir, such as spillway bench serve --run-dir runs.`,
    );
  }
  const pictured = runs.slice(-picturedMax);
  const responses = new Map(
    await Promise.all(pictured.map(async (run) => [run, await readResponses(run)] as const)),
  );
  const first = folders[0] as string;
  const isFile = await stat(first).then((found) => found.isFile());
  const file = html ?? join(isFile ? dirname(first) : first, 'report.html');
  await writeOutput(file, 'page', runsPage(runs, responses));
  process.stdout.write(`${runsTable(runs)}\nThe page is ${file}.\n`);
}

/** The run itself, or the runs in a folder. */
async function runsIn(folder: string): Promise<readonly SavedRun[]> {
  if (
    await stat(folder).then(
      (found) => found.isFile(),
      () => false,
    )
  ) {
    const results = await readResultFile(folder);
    if (results !== undefined) return results;
    throw new InputError(
      `${folder} is neither a run nor a result of vllm bench serve (JSON from --save-result).`,
    );
  }
  const isRun = await stat(join(folder, 'run.json')).then(
    () => true,
    () => false,
  );
  if (isRun) return [await readRun(folder)];
  return [...(await listRuns(folder, warnOfRun)), ...(await resultFilesIn(folder))];
}

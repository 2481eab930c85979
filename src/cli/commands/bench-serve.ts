// `spillway bench serve`: generated load, with the flags and the result of `vllm bench serve`.
import { dirname, isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import { InputError, withoutCredentials } from '../../core/base/index.ts';
import {
  appendOutput,
  checkOutput,
  checkOutputs,
  fileProblem,
  makeFolder,
  writeOutput,
  writeOutputs,
} from '../../io/files/index.ts';
import {
  type LoadContext,
  loadTable,
  requestsCsv,
  runServe,
  type ServeOptions,
  type ServeTraffic,
  serveJson,
  waitReady,
} from '../../tools/benchmark/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { loadPage, responsesOf } from '../../tools/runs/index.ts';
import { collect } from '../arguments/lists.ts';
import { besideJson, besideTable, type Simulated } from '../bench/beside-table.ts';
import { addSloFlags, type SloFlags } from '../bench/capacity-flags.ts';
import { addClientsFlag } from '../bench/measurement-flags.ts';
import { preparesLoad } from '../bench/prepare-load.ts';
import { checkHasNoLoad } from '../bench/run-capacity.ts';
import { addRunDirFlag, finishRun, openRun, type RunDirFlags, recorded } from '../bench/run-dir.ts';
import { runMeasured } from '../bench/run-measured.ts';
import { addLoadFlags, type LoadFlags } from '../bench/serve-flags.ts';
import { pairsOf, serveOptions, trafficOf, urlOf } from '../bench/serve-options.ts';
import { addTargetFlags, type TargetFlags } from '../bench/target-flags.ts';
import { VllmBenchCommand } from '../bench/vllm-bench-arguments.ts';
import { deliver } from '../deliver.ts';
import { search } from './bench-sweep.ts';

interface ServeFlags extends LoadFlags, TargetFlags, SloFlags, RunDirFlags {
  readonly besideSimulation?: string;
  readonly csv?: string;
  readonly html?: string;
  readonly label?: string;
  readonly metadata?: readonly string[];
  readonly saveResult?: true;
  readonly saveDetailed?: true;
  readonly appendResult?: true;
  readonly resultDir: string;
  readonly resultFilename?: string;
  readonly json?: string | true;
}

/** The command `bench serve`. */
export function serveCommand(): Command {
  const command = preparesLoad(new VllmBenchCommand('serve')).description(
    'Send generated requests at a rate or from a number of users, as vllm bench serve does, and measure the responses.',
  );
  addSloFlags(addClientsFlag(addLoadFlags(addTargetFlags(command)))).optionsGroup('Output:');
  return addRunDirFlag(command)
    .option(
      '--beside-simulation <file>',
      'simulate the same requests on the stack of this values file, and print both',
    )
    .option('--html <file>', 'a page with the table and charts')
    .option(
      '--csv <file>',
      'a line per response, with the columns of multi-round-qa.py of the production stack',
    )
    .option(
      '--json [file]',
      'result with the keys of vllm bench serve, to a file or standard output',
    )
    .option('--save-result', 'write the result as JSON into --result-dir')
    .option('--append-result', 'append it to the file as a further line, instead')
    .option('--save-detailed', 'include a value per request in the JSON: ttfts, itls, errors, …')
    .option('--result-dir <folder>', 'folder of saved results', '.')
    .option('--result-filename <name>', 'name of the saved result (default: from the run)')
    .option('--label <text>', 'label of the result')
    .option('--metadata <key=value>', 'further key of the result; may be repeated', collect)
    .exitOverride()
    .action(runCommand);
}

async function runCommand(flags: ServeFlags): Promise<void> {
  if (flags.slo !== undefined) return searchRate(flags);
  const startedAt = new Date();
  const options: ServeOptions = {
    ...serveOptions(flags, urlOf(flags), startedAt),
    label: flags.label,
    metadata: pairsOf('--metadata', flags.metadata ?? []),
    isDetailed: flags.saveDetailed === true,
  };
  const traffic = trafficOf(flags, flags.endpoint);
  const named = typeof flags.json === 'string' ? flags.json : undefined;
  const saved = savedPath(flags, startedAt);
  for (const file of [named, saved]) {
    if (file === undefined) continue;
    await makeFolder(dirname(file)).catch((error: unknown) => {
      throw new InputError(`Cannot make the folder ${dirname(file)}: ${fileProblem(error)}.`);
    });
    await checkOutput(file, 'result');
  }
  const page = { file: flags.html, what: 'page' };
  const responses = { file: flags.csv, what: 'responses' };
  await checkOutputs([page, responses]);
  const simulated = await simulatedFor(flags, traffic, options);
  const run = await openRun(flags, 'bench serve', flags.label);
  const outcome = await recorded(run, () =>
    runMeasured(options, 'Sending', (context) =>
      runWhenReady(flags, options, context, () =>
        runServe(options, traffic, {
          ...context,
          ...(run === undefined ? {} : { onRecord: (record) => run.response(record) }),
        }),
      ),
    ),
  );
  if (outcome === undefined) return;
  const beside = simulated && besideJson(outcome.report, simulated);
  const result = {
    ...serveJson(options, outcome),
    ...(beside === undefined ? {} : { beside_simulation: beside }),
  };
  let made: Promise<string> | undefined;
  const text = () => (made ??= resultText(options, result));
  const table =
    loadTable(options, outcome) + (simulated ? besideTable(outcome.report, simulated) : '');
  const csv = requestsCsv(outcome.records);
  const urls = [options.url.href];
  const title = flags.label ?? `${outcome.model.id} at ${withoutCredentials(options.url.href)}`;
  const save = flags.appendResult === true ? appendOutput : writeOutput;
  await deliver({
    print: () => (flags.json === true ? text() : table),
    write: [
      async () => {
        if (named !== undefined) await writeOutput(named, 'result', await text());
      },
      async () => {
        if (saved !== undefined) await save(saved, 'result', await text());
      },
      () =>
        writeOutputs([
          { ...page, text: () => loadPage(title, table, responsesOf(outcome.records)) },
          { ...responses, text: () => csv },
        ]),
      () => finishRun(run, result, { urls, files: { 'requests.csv': csv } }),
    ],
  });
}

/** Waits for the server first, if `--ready-check-timeout-sec` says so. */
async function runWhenReady<Outcome>(
  { readyCheckTimeoutSec: seconds }: ServeFlags,
  { url, apiKey, headers, model }: ServeOptions,
  { signal }: LoadContext,
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  if (seconds > 0) await waitReady({ url, apiKey, headers, model, signal, seconds });
  return run();
}

/** Simulates before anything is sent, so that a wrong values file costs no run. */
async function simulatedFor(
  { besideSimulation: values }: ServeFlags,
  traffic: ServeTraffic,
  { percentiles }: ServeOptions,
): Promise<Simulated | undefined> {
  if (values === undefined) return undefined;
  // The simulator is loaded only where it is used.
  const { simulatedBeside } = await import('../bench/beside-simulation.ts');
  return simulatedBeside(values, traffic, percentiles);
}

/** With --slo: from --request-rate on, or 1 request per second. */
function searchRate(flags: ServeFlags): Promise<void> {
  const { requestRate } = flags;
  const load = { ...flags, requestRate: Number.POSITIVE_INFINITY };
  checkHasNoLoad(load, 'bench serve --slo');
  return search(load, Number.isFinite(requestRate) ? requestRate : 1);
}

/** Path of `--save-result` and `--append-result`, as vLLM names it; undefined without the flag. */
function savedPath(flags: ServeFlags, startedAt: Date): string | undefined {
  if (flags.saveResult === undefined && flags.appendResult === undefined) return undefined;
  const { resultDir, resultFilename, label, backend, requestRate, maxConcurrency } = flags;
  const at = startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const rate = Number.isFinite(requestRate) ? requestRate : 'inf';
  const limit = maxConcurrency === undefined ? '' : `-concurrency${maxConcurrency}`;
  const name = resultFilename ?? `${label ?? backend}-${rate}qps${limit}-${at}.json`;
  // As Python's os.path.join, with which vLLM makes the path.
  return isAbsolute(name) ? name : join(resultDir, name);
}

/** The result as JSON, with the machine of the client and the version of the server. */
async function resultText(options: ServeOptions, result: Record<string, unknown>): Promise<string> {
  const environment = await readEnvironment({ urls: [options.url.href] });
  return `${JSON.stringify({ ...result, environment })}\n`;
}

// `spillway compare`: whether a second server, stack or run is better or worse than the first.
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { InputError, withoutCredentials } from '../../core/base/index.ts';
import type { Verdict } from '../../core/comparison/index.ts';
import { checkOutput } from '../../io/files/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import { serveTraffic } from '../../tools/benchmark/index.ts';
import {
  type ComparedView,
  type CompareOptions,
  type CompareProgress,
  compareJson,
  compareText,
  pairsFor,
  runCompare,
  type SummaryComparison,
  summariesJson,
  summariesText,
} from '../../tools/compare/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { collect } from '../arguments/lists.ts';
import { integer } from '../arguments/numbers.ts';
import { share } from '../bench/capacity-flags.ts';
import { preparesTarget } from '../bench/prepare-load.ts';
import { addLoadFlags, type LoadFlags } from '../bench/serve-flags.ts';
import { apiBase, serveOptions, trafficOf } from '../bench/serve-options.ts';
import { againstHistory, betweenResults, betweenRuns } from '../compare/saved.ts';
import type { GroupCluster, Server } from '../compare/server.ts';
import { type ServerPlan, withServers } from '../compare/servers.ts';
import { type Source, sourcesOf } from '../compare/sources.ts';
import { deliverJson } from '../deliver.ts';

interface CompareFlags extends LoadFlags {
  readonly setA?: readonly string[];
  readonly setB?: readonly string[];
  readonly against?: string;
  readonly history: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly release: string;
  readonly blocks?: number;
  readonly detect: number;
  readonly tolerance: number;
  readonly json?: string | true;
}

/** Requests of each server, if not given: 24 blocks of ten. */
const requestsDefault = 240;

/** Exit statuses by verdict. */
const statuses: Readonly<Record<Verdict, number>> = {
  ...{ better: 0, 'no difference': 0, worse: 1, 'not enough data': 3 },
};

/** The command `compare`. */
export function compareCommand(): Command {
  const command = preparesTarget(new Command('compare'))
    .description(
      'Say whether B is better, worse, or not different: two servers get the same load alternately (A B B A …), two values files are started to get that load, or two saved runs are compared. Exit status 0: better or no worse, 1: worse, 3: not enough data.',
    )
    .argument(
      '[a]',
      'what to compare with: a base URL, a values file, group:a of spillway deploy --group, the folder of a run, or a result of vllm bench serve',
    )
    .argument('[b]', 'what to judge, in the same forms');
  return addLoadFlags(command)
    .optionsGroup('Comparison:')
    .option('--set-a <key=value>', 'set one value of the values file A; repeatable', collect)
    .option('--set-b <key=value>', 'the same for B', collect)
    .option(
      '--against <label>',
      'compare a run of --history, by default the newest, with the newest one before it that has this label, and name the run since which it is worse',
    )
    .option('--history <folder>', 'folder that bench --run-dir writes to, for --against', 'runs')
    .option(
      '--blocks <n>',
      'number of pairs of blocks (default: one per ten requests, 8 to 24)',
      integer({ min: 2, max: 400 }),
    )
    .option(
      '--detect <share>',
      'difference of the end-to-end latency that must not go unnoticed',
      share,
      0.1,
    )
    .option('--tolerance <share>', 'difference that is too small to matter', share, 0.02)
    .optionsGroup('Cluster of group:a and group:b:')
    .option('--context <name>', 'context of the kubeconfig (default: the current one)')
    .option('-n, --namespace <name>', 'namespace (default: that of the context)')
    .option('--release <name>', 'name of the Helm release, without the group', 'vllm')
    .optionsGroup('Output:')
    .option('--json [file]', 'result as JSON, to a file or standard output')
    .exitOverride()
    .action(runCommand);
}

async function runCommand(
  a: string | undefined,
  b: string | undefined,
  flags: CompareFlags,
): Promise<void> {
  const { json, history, blocks, seed } = flags;
  const limits = { detect: flags.detect, tolerance: flags.tolerance };
  if (typeof json === 'string') await checkOutput(json, 'result');
  if (flags.against !== undefined) {
    if (b !== undefined) throw new InputError('--against takes one run, or none for the newest.');
    const saved = { history, label: flags.against, run: a };
    return print(await againstHistory(saved, { limits, seed, pairs: blocks }), json);
  }
  if (a === undefined || b === undefined) {
    throw new InputError(
      'Give what to compare: two URLs, two values files, group:a and group:b, the folders of two runs, or two results of vllm bench serve; or --against LABEL.',
    );
  }
  const sources = await sourcesOf(a, b);
  const [first, second] = sources;
  if (first.kind === 'run' && second.kind === 'run') {
    const folders = [first.folder, second.folder] as const;
    return print(await betweenRuns(...folders, { limits, seed, pairs: blocks }), json);
  }
  if (first.kind === 'result' && second.kind === 'result') {
    const compared = betweenResults(first.run, second.run, { limits, seed, pairs: blocks });
    return 'comparison' in compared ? print(compared, json) : printSummaries(compared, json);
  }
  await compareServers([planOf('a', first, flags.setA), planOf('b', second, flags.setB)], flags);
}

function planOf(side: 'a' | 'b', source: Source, sets: readonly string[] = []): ServerPlan {
  if (source.kind === 'run' || source.kind === 'result') throw new TypeError('A run is no server.');
  if (source.kind !== 'values' && sets.length > 0) {
    const what = source.kind === 'url' ? 'a URL' : 'deployed';
    throw new InputError(
      `--set-${side} changes a values file, and ${side.toUpperCase()} is ${what}: drop it.`,
    );
  }
  return { side, source, sets };
}

async function compareServers(
  plans: readonly [ServerPlan, ServerPlan],
  flags: CompareFlags,
): Promise<void> {
  const { json } = flags;
  const startedAt = new Date();
  const requests = flags.numPrompts ?? requestsDefault;
  const traffic = trafficOf({ ...flags, numPrompts: requests });
  const optionsFor = (a: Server, b: Server): CompareOptions => ({
    a: serveOptions(flags, apiBase(a.url), startedAt),
    b: serveOptions(flags, apiBase(b.url), startedAt),
    rate: traffic.rate,
    requests,
    pairs: flags.blocks ?? Math.min(requests, pairsFor(requests)),
    seed: flags.seed,
    limits: { detect: flags.detect, tolerance: flags.tolerance },
  });
  const trafficFor = (side: 'a' | 'b', id: string) =>
    // Equal lengths, other words: the servers may share a cache, or be one server.
    serveTraffic({ ...traffic, textSeed: 2 * flags.seed + (side === 'a' ? 0 : 1) }, { id });
  const measured = await inTurns(plans, optionsFor, trafficFor, flags);
  if (measured === undefined) return;
  await print(measured.view, json, measured.environment);
}

/** Runs the comparison with progress; sets the exit status of a stop. */
async function inTurns(
  plans: readonly [ServerPlan, ServerPlan],
  optionsFor: (a: Server, b: Server) => CompareOptions,
  trafficFor: Parameters<typeof runCompare>[1],
  cluster: GroupCluster,
): Promise<{ readonly view: ComparedView; readonly environment: object } | undefined> {
  const signals = watchStopSignals();
  endOnHurry(signals);
  const isTerminal = process.stderr.isTTY === true;
  const show = ({ blocks, blocksTotal }: CompareProgress) => {
    if (isTerminal) process.stderr.write(`\r\x1b[2Kblock ${blocks} of ${blocksTotal}`);
  };
  try {
    return await withServers(
      plans,
      signals,
      async (a, b) => {
        const options = optionsFor(a, b);
        const outcome = await runCompare(options, trafficFor, {
          clock: { nowSeconds: () => performance.now() / 1000 },
          signal: signals.stop,
          onProgress: show,
        });
        if (signals.stop.aborted) process.exitCode = signalStatus(signals);
        const environment = await readEnvironment({
          urls: [options.a.url.href, options.b.url.href],
        });
        const sideOf = (side: 'a' | 'b', { name }: Server) => {
          const { url } = options[side];
          const isUrl = plans[side === 'a' ? 0 : 1].source.kind === 'url';
          const shown = withoutCredentials(url.href);
          const origin = { url: shown, ...originOf(plans[side === 'a' ? 0 : 1], name) };
          return { name: isUrl ? shown : name, model: outcome.models[side], origin };
        };
        const view = {
          ...{ a: sideOf('a', a), b: sideOf('b', b) },
          comparison: outcome.comparison,
          limits: options.limits,
          blockRequests: outcome.blockRequests,
          seed: options.seed,
          seconds: outcome.seconds,
          isPartial: outcome.isPartial,
          gone: outcome.gone,
        };
        return { view, environment };
      },
      cluster,
    );
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = signalStatus(signals);
    return undefined;
  } finally {
    if (isTerminal) process.stderr.write('\r\x1b[2K');
    signals.release();
  }
}

/** What a saved comparison says of where a server came from, beside its URL. */
function originOf({ source: { kind } }: ServerPlan, name: string): object {
  if (kind === 'url') return {};
  return kind === 'values' ? { values: name } : { group: name };
}

/** Prints figures without a verdict. */
async function printSummaries(
  compared: SummaryComparison,
  json: string | true | undefined,
): Promise<void> {
  process.exitCode = statuses['not enough data'];
  await deliverJson(json, summariesText(compared), summariesJson(compared));
}

/** Prints the comparison and sets the exit status of its verdict, unless it was stopped. */
async function print(
  view: ComparedView & { readonly regression?: Record<string, unknown> | undefined },
  json: string | true | undefined,
  environment?: object,
): Promise<void> {
  process.exitCode ??= statuses[view.comparison.verdict];
  const { regression } = view;
  const result = {
    ...compareJson(view),
    ...(regression === undefined ? {} : { regression }),
    ...(environment === undefined ? {} : { environment }),
  };
  await deliverJson(json, compareText(view), result);
}

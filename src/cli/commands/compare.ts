// `spillway compare`: whether a second server is better or worse than the first.
import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { endOnHurry, interruptedStatus, watchStopSignals } from '../../io/signals/index.ts';
import { serveTraffic } from '../../tools/benchmark/index.ts';
import {
  type CompareOptions,
  type CompareOutcome,
  type CompareProgress,
  compareJson,
  compareText,
  pairsFor,
  runCompare,
} from '../../tools/compare/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { httpUrl } from '../arguments/lists.ts';
import { integer } from '../arguments/numbers.ts';
import { share } from '../bench/capacity-flags.ts';
import { checkWritable } from '../bench/run-measured.ts';
import { addLoadFlags, type LoadFlags } from '../bench/serve-flags.ts';
import { apiBase, serveOptions, trafficOf } from '../bench/serve-options.ts';

interface CompareFlags extends LoadFlags {
  readonly blocks?: number;
  readonly detect: number;
  readonly tolerance: number;
  readonly json?: string | true;
}

/** Requests of each server, if not given: 24 blocks of ten. */
const requestsDefault = 240;

/** Exit statuses by verdict. */
const statuses = { better: 0, 'no difference': 0, worse: 1, 'not enough data': 3 } as const;

/** The command `compare`. */
export function compareCommand(): Command {
  const command = new Command('compare')
    .description(
      'Send the same load to two servers in turns (A B B A …) and say whether B is better, worse, or not different. Exit status 0: better or no worse, 1: worse, 3: not enough data.',
    )
    .argument('<url-a>', 'base URL of the server to compare with', httpUrl)
    .argument('<url-b>', 'base URL of the server in question', httpUrl);
  return addLoadFlags(command)
    .optionsGroup('Comparison:')
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
    .optionsGroup('Output:')
    .option('--json [file]', 'result as JSON, to a file or standard output')
    .exitOverride()
    .action(runCommand);
}

async function runCommand(a: URL, b: URL, flags: CompareFlags): Promise<void> {
  const { json } = flags;
  const startedAt = new Date();
  const requests = flags.numPrompts ?? requestsDefault;
  const traffic = trafficOf({ ...flags, numPrompts: requests });
  const options: CompareOptions = {
    a: serveOptions(flags, apiBase(a), startedAt),
    b: serveOptions(flags, apiBase(b), startedAt),
    rate: traffic.rate,
    requests,
    pairs: flags.blocks ?? Math.min(requests, pairsFor(requests)),
    seed: flags.seed,
    limits: { detect: flags.detect, tolerance: flags.tolerance },
  };
  if (typeof json === 'string') await checkWritable(json);
  const outcome = await measured(options, (side, id) =>
    // Equal lengths, other words: the servers may share a cache, or be one server.
    serveTraffic({ ...traffic, textSeed: 2 * flags.seed + (side === 'a' ? 0 : 1) }, { id }),
  );
  if (outcome === undefined) return;
  const text = json === undefined ? '' : await resultText(options, outcome);
  process.stdout.write(json === true ? text : compareText(options, outcome));
  if (typeof json === 'string') await writeFile(json, text);
}

/** Runs the comparison with progress; sets the exit status. */
async function measured(
  options: CompareOptions,
  trafficFor: Parameters<typeof runCompare>[1],
): Promise<CompareOutcome | undefined> {
  const signals = watchStopSignals();
  endOnHurry(signals);
  const isTerminal = process.stderr.isTTY === true;
  const show = ({ blocks, blocksTotal }: CompareProgress) => {
    if (isTerminal) process.stderr.write(`\r\x1b[2Kblock ${blocks} of ${blocksTotal}`);
  };
  try {
    const outcome = await runCompare(options, trafficFor, {
      clock: { nowSeconds: () => performance.now() / 1000 },
      signal: signals.stop,
      onProgress: show,
    });
    process.exitCode = signals.stop.aborted
      ? interruptedStatus
      : statuses[outcome.comparison.verdict];
    return outcome;
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = interruptedStatus;
    return undefined;
  } finally {
    if (isTerminal) process.stderr.write('\r\x1b[2K');
    signals.release();
  }
}

async function resultText(options: CompareOptions, outcome: CompareOutcome): Promise<string> {
  const environment = await readEnvironment({ urls: [options.a.url.href, options.b.url.href] });
  return `${JSON.stringify({ ...compareJson(options, outcome), environment })}\n`;
}

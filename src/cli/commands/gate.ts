// `spillway gate`: checks the HBM utilization P99 over a window; the exit status is the verdict.
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { commaList, InputError } from '../../core/base/index.ts';
import { checkOutputs, writeOutputs } from '../../io/files/index.ts';
import { PrometheusClient } from '../../io/prometheus/index.ts';
import { gateChart, gateJson, gateText, runGate } from '../../tools/gate/index.ts';
import { share } from '../arguments/numbers.ts';
import { duration, durationWithUnit } from '../arguments/quantities.ts';
import { deliver } from '../deliver.ts';
import { endedByCtrlC } from '../ended-by-ctrl-c.ts';
import { addHelpEnd } from '../help.ts';

/** Exit status of each verdict. It is also 4 without a usable response of Prometheus; bad input has 2. */
const statuses = { pass: 0, fail: 1, unknown: 4 } as const;

/** The command `gate`. */
export function gateCommand(): Command {
  const command = new Command('gate')
    .description(
      'Check the HBM utilization P99 of each engine in Prometheus against a limit; the exit status is the verdict.',
    )
    .requiredOption('--prometheus <url>', 'Prometheus server, e.g. http://127.0.0.1:9090')
    .addOption(
      new Option('--window <duration>', 'length of the window, such as 24h, 90m or 7d')
        .argParser(durationWithUnit)
        .default(durationWithUnit('24h'), '24h'),
    )
    .option('--max <share>', 'highest P99 that passes', share, 0.92)
    .option('--selector <matchers>', 'PromQL label matchers, e.g. namespace="prod"', '')
    .option('--by <labels>', 'labels that identify an engine (default: all)', commaList)
    .option(
      '--interval <duration>',
      'scrape interval, in seconds or with a unit (default: from the samples)',
      seconds,
    )
    .option(
      '--at <time>',
      'end of the window, ISO 8601 (default: the server’s current time)',
      toInstant,
    )
    .addOption(
      new Option('--timeout <duration>', 'timeout of a request, in seconds or with a unit')
        .argParser(seconds)
        .default(seconds('30s'), '30s'),
    )
    .option('--token-file <file>', 'file with a bearer token for the server')
    .option('--svg <file>', 'write the trend as a chart')
    .option('--json', 'the verdict as one JSON object')
    .exitOverride()
    .action(gate);
  return addHelpEnd(
    command,
    'Exit status: 0 pass, 1 over the limit, 2 bad input, 4 not enough data or no usable response of Prometheus.',
  );
}

const seconds = duration('s');

interface GateFlags {
  readonly prometheus: string;
  readonly window: number;
  readonly max: number;
  readonly selector: string;
  readonly by?: readonly string[];
  readonly interval?: number;
  readonly at?: number;
  readonly timeout: number;
  readonly tokenFile?: string;
  readonly svg?: string;
  readonly json?: true;
}

async function gate(flags: GateFlags): Promise<void> {
  const chart = { file: flags.svg, what: 'chart' };
  await checkOutputs([chart]);
  const client = new PrometheusClient({
    url: flags.prometheus,
    token: await tokenOf(flags.tokenFile),
    tokenFlag: '--token-file',
    timeoutMs: flags.timeout * 1000,
  });
  const bar = process.stderr.isTTY;
  const run = await endedByCtrlC(() =>
    runGate({
      client,
      windowSeconds: flags.window,
      max: flags.max,
      selector: withoutBraces(flags.selector),
      by: flags.by,
      intervalSeconds: flags.interval,
      endSeconds: flags.at,
      onProgress: bar
        ? (share) => process.stderr.write(`\r\x1b[2Kreading ${Math.round(share * 100)} %`)
        : undefined,
    }),
  );
  if (bar) process.stderr.write('\r\x1b[2K');
  process.exitCode = statuses[run.verdict];
  await deliver({
    print: () => (flags.json ? `${JSON.stringify(gateJson(run))}\n` : gateText(run)),
    write: [() => writeOutputs([{ ...chart, text: () => gateChart(run) }])],
  });
}

async function tokenOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  let token: string;
  try {
    token = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new InputError(`Cannot read the token in ${file}: ${reason(error)}.`, { cause: error });
  }
  if (/^[!-~]+$/.test(token)) return token;
  throw new InputError(
    `${file} does not contain a token, which must be printable ASCII without spaces.`,
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Removes the braces of `{a="b"}`. */
function withoutBraces(selector: string): string {
  return selector
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .trim();
}

function toInstant(text: string): number {
  const seconds = Date.parse(text) / 1000;
  if (!Number.isFinite(seconds)) {
    throw new InvalidArgumentError('It must be a time such as 2026-11-22T08:00:00Z.');
  }
  return seconds;
}

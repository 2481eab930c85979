// `spillway gate`: the single gate, HBM utilization P99 over a window, as an exit status.
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { PrometheusClient } from '../../io/prometheus/index.ts';
import { gateJson, gatePicture, gateText, runGate } from '../../tools/gate/index.ts';
import { writeOutput } from '../write-output.ts';

/** Exit status of each verdict; bad input and a Prometheus that does not answer end with 2. */
const statuses = { pass: 0, fail: 1, unknown: 4 } as const;

/** The command `gate`. */
export function gateCommand(): Command {
  return new Command('gate')
    .description(
      'Ask Prometheus for the HBM utilization P99 of each engine and answer by exit status.',
    )
    .requiredOption('--prometheus <url>', 'server to ask, e.g. http://127.0.0.1:9090')
    .addOption(duration('--window <duration>', 'how far back, e.g. 24h, 90m, 7d', '24h'))
    .option('--max <share>', 'highest P99 that passes', toShare, 0.92)
    .option('--selector <matchers>', 'PromQL label matchers, e.g. namespace="prod"', '')
    .option('--by <labels>', 'labels that make one engine (default: all)', toList)
    .option('--interval <duration>', 'scrape interval (default: as the samples come)', toSeconds)
    .option('--at <time>', 'end of the window, ISO 8601 (default: the server’s now)', toInstant)
    .addOption(duration('--timeout <duration>', 'longest wait for one answer', '30s'))
    .option('--token-file <file>', 'bearer token for the server')
    .option('--svg <file>', 'write the trend as a picture')
    .option('--json', 'the verdict as one JSON object')
    .addHelpText(
      'after',
      '\nExit status: 0 pass, 1 over the limit, 4 too little data to say, 2 bad input or no answer.\n',
    )
    .exitOverride()
    .action(gate);
}

function duration(flags: string, description: string, preset: string): Option {
  return new Option(flags, description).argParser(toSeconds).default(toSeconds(preset), preset);
}

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
  const client = new PrometheusClient({
    url: flags.prometheus,
    token: await tokenOf(flags.tokenFile),
    timeoutMs: flags.timeout * 1000,
  });
  const bar = process.stderr.isTTY;
  const run = await runGate({
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
  });
  if (bar) process.stderr.write('\r\x1b[2K');
  if (flags.svg !== undefined) await writeOutput(flags.svg, 'picture', gatePicture(run));
  process.stdout.write(flags.json ? `${JSON.stringify(gateJson(run))}\n` : gateText(run));
  process.exitCode = statuses[run.verdict];
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
  throw new InputError(`${file} does not hold a token: it must be one word of printable ASCII.`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `{a="b"}` and `a="b"` are the same to people. */
function withoutBraces(selector: string): string {
  return selector
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .trim();
}

const unitSeconds: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

function toSeconds(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)([smhdw])?$/.exec(text.trim()) ?? [];
  const seconds = Number(number) * (unitSeconds[unit] ?? 1);
  if (number === '' || !(seconds > 0)) {
    throw new InvalidArgumentError('It must be a duration such as 24h, 90m or 7d.');
  }
  return seconds;
}

function toShare(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1) || text.trim() === '') {
    throw new InvalidArgumentError('It must be a share above 0 and at most 1, such as 0.92.');
  }
  return value;
}

function toInstant(text: string): number {
  const seconds = Date.parse(text) / 1000;
  if (!Number.isFinite(seconds)) {
    throw new InvalidArgumentError('It must be a time such as 2026-11-22T08:00:00Z.');
  }
  return seconds;
}

function toList(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

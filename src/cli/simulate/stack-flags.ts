// The flags of `spillway simulate -f`, a stack in virtual time, shared by `simulate` and `simulate sweep`.
import type { Command } from 'commander';
import { kvLinkNames } from '../../core/engine/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import { collect, subchartFlag } from '../arguments/lists.ts';
import { positive, positiveInteger } from '../arguments/numbers.ts';
import { addTraceUnitFlag, duration } from '../arguments/quantities.ts';
import { toFailure, toOffload, toOutage } from './arguments.ts';

/** Values as on the command line; `toOffload`, `toOutage` and `toFailure` have checked theirs. */
export interface StackFlags {
  readonly file?: readonly string[];
  readonly subchart?: string;
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly preset?: string;
  readonly trace?: string;
  readonly traceUnit?: TimeUnit;
  readonly workload?: string;
  readonly setWorkload?: readonly string[];
  readonly model?: string;
  readonly profile?: string;
  readonly speed?: number;
  readonly requests?: number;
  readonly offload?: string;
  readonly loseStore?: string;
  readonly fail?: readonly string[];
  readonly link?: string;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
}

/** Adds the flags that a stack shares with a recorded engine and a fleet. */
export function addTrafficFlags(command: Command): Command {
  command
    .optionsGroup('Traffic:')
    .option(
      '--trace <file>',
      'requests, as JSON lines with block ids (Mooncake, Qwen-Bailian) or as CSV (Azure, BurstGPT), plain or gzipped; "-" for standard input',
    );
  return addTraceUnitFlag(command)
    .option('--speed <n>', 'divide arrival times by n (default: 1)', positive)
    .option('--requests <n>', 'replay only this many (default: all)', positiveInteger)
    .optionsGroup('Engine model:')
    .option(
      '--model <name>',
      'catalogue name, or a folder with config.json (default: as recorded; fleet: ' +
        'Qwen/Qwen3-8B); for a stack with several models, the one that requests are for',
    )
    .option(
      '--profile <path>',
      'measured step times: a folder of tables, or a file from spillway calibrate (default: the ' +
        'calibrated roofline)',
    );
}

/** Adds the flags for the values of the stack, its traffic, failures and goals. */
export function addStackFlags(command: Command): Command {
  return command
    .option('-f, --file <file>', 'simulate the stack of a values file; repeatable', collect)
    .option(...subchartFlag)
    .option('--set <key=value>', `set one value, as in Helm; repeatable`, collect)
    .option('--set-string <key=value>', `the same, always as a string; repeatable`, collect)
    .option('--preset <name>', `preset to start from`)
    .option('--workload <file>', `generate requests instead of reading a trace; see the guide`)
    .option('--set-workload <key=value>', `set one key of the workload; repeatable`, collect)
    .option(
      '--offload <choice>',
      `none, native=GIB or lmcache=GIB of host memory per engine; overrides the values`,
      checked(toOffload),
    )
    .option(
      '--lose-store <time>',
      `START[+DURATION], such as 60s+30s: the shared store is unavailable`,
      checked(toOutage),
    )
    .option(
      '--fail <failure>',
      `ENGINE@START[+DURATION], such as 0@60s+30s: an engine, counted from 0, is stopped; repeatable`,
      (text: string, before?: readonly string[]) => collect(checked(toFailure)(text), before),
    )
    .option(
      '--link <name>',
      `link for disaggregated prefill: ${kvLinkNames.join(', ')}, or GB/s per GPU; overrides the values`,
    )
    .option('--slo-ttft-ms <ms>', `goodput: maximum time to first token`, duration('ms'))
    .option('--slo-tpot-ms <ms>', `goodput: maximum time per output token`, duration('ms'));
}

/** Returns the flags as on a command line. */
export function stackArguments(flags: StackFlags): string[] {
  const many = (flag: string, values: readonly string[] = []) => values.flatMap((v) => [flag, v]);
  const one = (flag: string, value: string | number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  return [
    ...many('--file', flags.file),
    ...one('--subchart', flags.subchart),
    ...many('--set', flags.set),
    ...many('--set-string', flags.setString),
    ...one('--preset', flags.preset),
    ...one('--trace', flags.trace),
    ...one('--trace-unit', flags.traceUnit),
    ...one('--workload', flags.workload),
    ...many('--set-workload', flags.setWorkload),
    ...one('--model', flags.model),
    ...one('--profile', flags.profile),
    ...one('--speed', flags.speed),
    ...one('--requests', flags.requests),
    ...one('--offload', flags.offload),
    ...one('--lose-store', flags.loseStore),
    ...many('--fail', flags.fail),
    ...one('--link', flags.link),
    ...one('--slo-ttft-ms', flags.sloTtftMs),
    ...one('--slo-tpot-ms', flags.sloTpotMs),
  ];
}

/** Returns a parser that refuses what `parse` refuses, and returns the text unchanged. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text);
    return text;
  };
}

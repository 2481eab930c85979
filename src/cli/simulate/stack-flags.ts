// The flags of `spillway simulate -f`, a stack in virtual time: `simulate` and `simulate sweep` both
// take them.
import type { Command } from 'commander';
import { kvLinkNames } from '../../core/engine/index.ts';
import { positive, whole } from '../number-arguments.ts';
import { toFailure, toOffload, toOutage } from './arguments.ts';

/** As they are given; `toOffload`, `toOutage` and `toFailure` have looked at theirs. */
export interface StackFlags {
  readonly file?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly preset?: string;
  readonly trace?: string;
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

/** What a stack shares with a recorded engine and a fleet. */
export function addTrafficFlags(command: Command): Command {
  return command
    .option(
      '--trace <file>',
      'requests: JSON lines with block ids or Azure CSV, plain or gzipped; "-" for standard input',
    )
    .option(
      '--model <name>',
      'model of the catalogue, or a folder with config.json (default: as recorded; fleet: ' +
        'Qwen/Qwen3-8B); of a stack with several models: the one that is asked',
    )
    .option(
      '--profile <path>',
      'measured step times: a folder of tables, or a file of spillway calibrate (default: the ' +
        'roofline of the GPU)',
    )
    .option('--speed <n>', 'divide arrival times by n (default: 1)', positive)
    .option('--requests <n>', 'play only this many (default: all)', whole);
}

/** @param prefix Of the descriptions, where the command has other flags, too. */
export function addStackFlags(command: Command, prefix = ''): Command {
  return command
    .option('-f, --file <file>', 'values file: the stack that it asks for; repeatable', collect)
    .option('--set <key=value>', `${prefix}set one value, as with Helm; repeatable`, collect)
    .option('--set-string <key=value>', `${prefix}the same, as text; repeatable`, collect)
    .option('--preset <name>', `${prefix}values to start from`)
    .option('--workload <file>', `${prefix}generated requests in place of a trace; see the guide`)
    .option(
      '--set-workload <key=value>',
      `${prefix}set one key of the workload; repeatable`,
      collect,
    )
    .option(
      '--offload <choice>',
      `${prefix}none, native=GIB or lmcache=GIB of host memory an engine, whatever the values say`,
      checked(toOffload),
    )
    .option(
      '--lose-store <time>',
      `${prefix}SECONDS[+SECONDS], takes the store that engines share away, for so long`,
      checked(toOutage),
    )
    .option(
      '--fail <failure>',
      `${prefix}ENGINE@SECONDS[+SECONDS], stops an engine (from 0), for so long; repeatable`,
      (text: string, before?: readonly string[]) => collect(checked(toFailure)(text), before),
    )
    .option(
      '--link <name>',
      `${prefix}between prefill and decode apart: ${kvLinkNames.join(', ')}, or GB/s of one GPU, whatever the values say`,
    )
    .option('--slo-ttft-ms <ms>', `${prefix}goodput, time to first token at most`, positive)
    .option('--slo-tpot-ms <ms>', `${prefix}goodput, time per output token at most`, positive);
}

/** The flags as one would type them. */
export function stackArguments(flags: StackFlags): string[] {
  const many = (flag: string, values: readonly string[] = []) => values.flatMap((v) => [flag, v]);
  const one = (flag: string, value: string | number | undefined) =>
    value === undefined ? [] : [flag, String(value)];
  return [
    ...many('--file', flags.file),
    ...many('--set', flags.set),
    ...many('--set-string', flags.setString),
    ...one('--preset', flags.preset),
    ...one('--trace', flags.trace),
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

/** Refuses what `parse` refuses, and leaves the text as it is. */
function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text);
    return text;
  };
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

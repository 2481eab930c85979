// `spillway simulate sweep`: starts this program for each combination, and prints the results in one table.
import { argv, execArgv, execPath } from 'node:process';
import { counted, InputError } from '../../core/base/index.ts';
import { checkOutputs, writeOutputs } from '../../io/files/index.ts';
import { signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import {
  breakEvens,
  parseAxis,
  type SweepOptions,
  type SweepOutcome,
  simulateSweep,
  sweepJson,
  sweepPage,
  sweepTable,
} from '../../tools/simulate-sweep/index.ts';
import { deliver } from '../deliver.ts';
import { endInterrupted } from '../ended-by-ctrl-c.ts';
import { type StackFlags, stackArguments } from './stack-flags.ts';

export interface SweepFlags extends StackFlags {
  readonly vary?: readonly string[];
  readonly seeds: number;
  readonly jobs?: number;
  readonly find?: 'break-even';
  readonly hostGib: number;
  readonly html?: string;
  readonly json?: true;
}

/** Simulates every combination and prints the results. */
export async function playSweep(flags: SweepFlags): Promise<void> {
  if (flags.file === undefined && flags.preset === undefined) {
    throw new InputError('simulate sweep needs -f VALUES.yaml.');
  }
  const axes = (flags.vary ?? []).map(parseAxis);
  if (axes.length === 0) throw new InputError('simulate sweep needs --vary KEY=VALUES.');
  const findsBreakEven = flags.find === 'break-even';
  if (findsBreakEven && axes.length !== 1) {
    throw new InputError('--find break-even varies one key; give --vary once.');
  }
  if (findsBreakEven && flags.offload !== undefined) {
    throw new InputError('--find break-even tries every offload itself; remove --offload.');
  }
  if (flags.trace === '-') {
    throw new InputError('Each simulation of a sweep reads the trace: give it as a file, not "-".');
  }
  const page = { file: flags.html, what: 'page' };
  await checkOutputs([page]);
  const isShown = process.stderr.isTTY;
  const signals = watchStopSignals(['SIGINT', 'SIGTERM', 'SIGHUP']);
  const sweep: SweepOptions = {
    self: [execPath, ...execArgv, argv[1] as string],
    flags: stackArguments(flags),
    ...{ axes, seeds: flags.seeds, jobs: flags.jobs },
    ...(findsBreakEven ? { variants: offloads(flags.hostGib) } : {}),
    onProgress: isShown
      ? (done, total) => process.stderr.write(`\r\x1b[2K${done} of ${counted(total, 'simulation')}`)
      : undefined,
    signal: signals.stop,
  };
  let outcome: SweepOutcome;
  try {
    outcome = await simulateSweep(sweep);
    if (signals.stop.aborted) process.exitCode = signalStatus(signals);
  } finally {
    signals.release();
    if (isShown) process.stderr.write('\r\x1b[2K');
  }
  const { rows, planned, failure } = outcome;
  if (rows.length === 0) endInterrupted('no combination is complete', Number(process.exitCode));
  // A break-even takes all points.
  const found = findsBreakEven && rows.length === planned ? breakEvens(rows) : undefined;
  const report = { axes, rows, planned, seeds: flags.seeds, breakEvens: found };
  const command = ['spillway', ...argv.slice(2)].join(' ');
  await deliver({
    print: () => (flags.json ? `${JSON.stringify(sweepJson(report))}\n` : sweepTable(report)),
    write: [() => writeOutputs([{ ...page, text: () => sweepPage(report, command) }])],
  });
  if (failure !== undefined) throw failure;
}

/** Variants with no offload, native offload and LMCache of one size; they override the values. */
function offloads(hostGib: number) {
  const named = (name: string, offload: string) => ({ name, flags: ['--offload', offload] });
  return [
    named('none', 'none'),
    named('native', `native=${hostGib}`),
    named('lmcache', `lmcache=${hostGib}`),
  ];
}

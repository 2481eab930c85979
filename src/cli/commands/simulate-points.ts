// `spillway simulate points`: latency of engines at a fixed number of clients.
import { Command } from 'commander';
import { counted } from '../../core/base/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { endedByCtrlC } from '../ended-by-ctrl-c.ts';

/** The command `points`, below `simulate`. */
export function pointsCommand(): Command {
  return new Command('points')
    .description(
      'Predict the latency of engines at a fixed number of clients, for each row of a file.',
    )
    .requiredOption(
      '--points <file>',
      'CSV with the columns system, model_path, isl, osl, batch_size; optional: precision, tp_size and others',
    )
    .option('--json', 'one JSON object per row (always on; accepted for scripts)')
    .exitOverride()
    .action((flags: PointsFlags) => endedByCtrlC(() => runPoints(flags)));
}

interface PointsFlags {
  readonly points: string;
}

async function runPoints({ points }: PointsFlags): Promise<void> {
  const { pointJson, readPoints } = await import('../../tools/simulate-points/index.ts');
  const rows = await readPoints(points);
  const answers = await interruptible(() => rows.map(pointJson));
  process.stdout.write(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
  const failed = answers.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return;
  process.stderr.write(
    `warning: ${failed.length} of ${counted(answers.length, 'row')} failed; the first: ${failed[0]?.['error']}\n`,
  );
  if (failed.length === answers.length) process.exitCode = 1;
}

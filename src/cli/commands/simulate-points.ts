// `spillway simulate points`: latency of engines at a fixed number of clients.
import { Command } from 'commander';

/** The command `points`, below `simulate`. */
export function pointsCommand(): Command {
  return new Command('points')
    .description('Latency of engines at a fixed number of clients, one row for each of a file.')
    .requiredOption(
      '--points <file>',
      'CSV: system, model_path, isl, osl, batch_size; precision, tp_size and others if there',
    )
    .option('--json', 'one JSON object a row (the only form; taken for the sake of scripts)')
    .exitOverride()
    .action(async ({ points }: { readonly points: string }) => {
      const { pointJson, readPoints } = await import('../../tools/simulate-points/index.ts');
      const answers = (await readPoints(points)).map(pointJson);
      process.stdout.write(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
      const failed = answers.filter(({ error }) => error !== undefined);
      if (failed.length === 0) return;
      process.stderr.write(
        `warning: ${failed.length} of ${answers.length} rows have no answer; the first: ${failed[0]?.['error']}\n`,
      );
      if (failed.length === answers.length) process.exitCode = 1;
    });
}

// Simulates the jobs that bench/policies/run.ts sends, in a separate process.
import { cells } from './cells.ts';
import { type Job, play } from './play.ts';

process.on('message', async (job: Job) => {
  const cell = cells.find(({ name }) => name === job.cell);
  if (cell === undefined) throw new Error(`There is no cell ${job.cell}`);
  process.send?.(await play(cell, job));
});

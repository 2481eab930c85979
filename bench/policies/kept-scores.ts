// Keeps scores in a file, so that a run continues where it was interrupted, and a change to one
// policy costs only that policy's time.
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { StepCost } from './cells.ts';
import { floorName, type Job, type Score } from './play.ts';

/** A score with the commit of the code that produced it. */
export interface KeptScore extends Score {
  readonly commit: string;
  /** Size of the job: scores of different sizes must not be mixed. */
  readonly requests: number;
  /** Source of the step times: neither must those be. */
  readonly stepCost: StepCost;
}

/** One JSON object per line; the last one of a duplicate score counts. */
export class KeptScores {
  readonly #file: string | undefined;
  readonly #scores = new Map<string, KeptScore>();

  /** @param file Created with its folder if it does not exist; without a file, scores are kept in memory only. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  async load(): Promise<void> {
    if (this.#file === undefined) return;
    // Before the first cell is simulated: a folder that cannot be made costs no result.
    await mkdir(dirname(this.#file), { recursive: true });
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      if (line === '') continue;
      // JSON has no NaN: the floor's goodput is null there.
      const score = JSON.parse(line, (_, value) => (value === null ? Number.NaN : value));
      // Files of earlier versions lack newer measures, and the step times are those of the roofline.
      if ('e2eMeanSeconds' in score && 'stepCost' in score)
        this.#scores.set(keyOf(score), score as KeptScore);
    }
  }

  /** Returns the job without the policies that have scores. */
  missing(job: Job): Job {
    const policies = job.policies.filter((policy) => !this.#scores.has(keyOf({ ...job, policy })));
    return { ...job, policies };
  }

  async add(scores: readonly KeptScore[]): Promise<void> {
    for (const score of scores) this.#scores.set(keyOf(score), score);
    if (this.#file === undefined) return;
    await appendFile(this.#file, scores.map((score) => `${JSON.stringify(score)}\n`).join(''));
  }

  /** Returns the scores of the jobs, including floors. */
  of(jobs: readonly Job[]): readonly KeptScore[] {
    return jobs.flatMap((job) =>
      [floorName, ...job.policies].flatMap(
        (policy) => this.#scores.get(keyOf({ ...job, policy })) ?? [],
      ),
    );
  }
}

function keyOf(
  score: Pick<KeptScore, 'cell' | 'routers' | 'seed' | 'requests' | 'policy' | 'stepCost'>,
) {
  const { cell, routers, seed, requests, policy, stepCost } = score;
  return [cell, routers, seed, requests, policy, stepCost].join(' ');
}

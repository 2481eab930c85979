// Scores in a file, so that a run goes on where it was interrupted, and a change of one policy costs
// that policy's time only.
import { appendFile, readFile } from 'node:fs/promises';
import { floorName, type Job, type Score } from './play.ts';

/** A score with the commit whose code it was played with. */
export interface KeptScore extends Score {
  readonly commit: string;
  /** Of the job: scores of other sizes are not to be mixed. */
  readonly requests: number;
}

/** One JSON object a line; of a score that is there twice the last counts. */
export class KeptScores {
  readonly #file: string | undefined;
  readonly #scores = new Map<string, KeptScore>();

  /** @param file Made if it is not there; without one, scores are kept in memory alone. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  async load(): Promise<void> {
    if (this.#file === undefined) return;
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    for (const line of text.split('\n')) {
      if (line === '') continue;
      // JSON has no NaN: the floor's goodput is null there.
      const score = JSON.parse(line, (_, value) => (value === null ? Number.NaN : value));
      this.#scores.set(keyOf(score), score as KeptScore);
    }
  }

  /** The job without the policies whose scores are there. */
  missing(job: Job): Job {
    const policies = job.policies.filter((policy) => !this.#scores.has(keyOf({ ...job, policy })));
    return { ...job, policies };
  }

  async add(scores: readonly KeptScore[]): Promise<void> {
    for (const score of scores) this.#scores.set(keyOf(score), score);
    if (this.#file === undefined) return;
    await appendFile(this.#file, scores.map((score) => `${JSON.stringify(score)}\n`).join(''));
  }

  /** Those of the jobs, floors included. */
  of(jobs: readonly Job[]): readonly KeptScore[] {
    return jobs.flatMap((job) =>
      [floorName, ...job.policies].flatMap(
        (policy) => this.#scores.get(keyOf({ ...job, policy })) ?? [],
      ),
    );
  }
}

function keyOf(score: Pick<KeptScore, 'cell' | 'routers' | 'seed' | 'requests' | 'policy'>) {
  const { cell, routers, seed, requests, policy } = score;
  return [cell, routers, seed, requests, policy].join(' ');
}

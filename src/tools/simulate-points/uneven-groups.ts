// Requests that wait at a full group of GPUs while another group has places: vLLM's API servers assign requests to groups with
// data-parallel attention by counts that are up to 100 ms old, and see only their own requests in between.
import { type Random, randomInteger, seededRandom } from '../../core/base/index.ts';
import { CoreAssignment, type CoreCounts, CountCoordinator } from '../../core/simulation/index.ts';

export interface GroupLoad {
  /** Of all groups together; each sends its next request when the previous one is complete. */
  readonly clients: number;
  readonly groups: number;
  /** Number of requests that one group runs at a time. */
  readonly places: number;
  readonly outputTokens: number;
  /** Duration of a step without prompts. The groups execute each step together, and it lasts as long as the longest. */
  readonly stepSeconds: number;
  /** Time that one prompt adds to a step. */
  readonly promptSeconds: number;
  /** Number of prompts that one group computes in a step at most, such as 1.75. */
  readonly promptsPerStep: number;
}

export interface GroupWaits {
  /** Mean over all requests. */
  readonly meanSeconds: number;
  /** Share of requests that waited for a place. */
  readonly share: number;
}

/** Time from the end of a response to the client's next request: uniform, at most this. */
const clientSecondsMax = 0.01;
const requestsPerClient = 10;
/** Runs that the result is the mean of: where a request goes depends on milliseconds. */
const runs = 20;

/**
 * Plays the assignment of requests with as many API servers as groups, the default of `vllm serve`. A client keeps its connection,
 * and so its server.
 *
 * @returns The waits for a place in the group, beside those for the prompts before.
 */
export function waitsByOldCounts(load: GroupLoad): GroupWaits {
  if (load.groups <= 1 || load.clients <= load.places) return { meanSeconds: 0, share: 0 };
  const played = Array.from({ length: runs }, (_, i) => new Groups(load, i + 1).play());
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / runs;
  return {
    meanSeconds: mean(played.map(({ meanSeconds }) => meanSeconds)),
    share: mean(played.map(({ share }) => share)),
  };
}

interface Sent {
  /** When its client sends it. */
  readonly atSeconds: number;
  /** The API server of its client. */
  readonly server: number;
}

interface Running {
  readonly server: number;
  /** Share of its prompt that is not computed. */
  prompt: number;
  /** Tokens still to be generated. */
  left: number;
}

interface Group {
  running: Running[];
  readonly waiting: (Sent & { isLate: boolean })[];
}

class Groups {
  readonly #load: GroupLoad;
  readonly #random: Random;
  readonly #groups: readonly Group[];
  /** Requests that clients are about to send. */
  #sends: Sent[] = [];
  readonly #servers: readonly CoreAssignment[];
  readonly #coordinator = new CountCoordinator();
  #sent = 0;
  #waited = 0;
  #waitSeconds = 0;

  constructor(load: GroupLoad, seed: number) {
    this.#load = load;
    this.#random = seededRandom(seed);
    this.#groups = Array.from({ length: load.groups }, () => ({ running: [], waiting: [] }));
    this.#servers = this.#groups.map(
      (_, server) => new CoreAssignment(load.groups, { servers: load.groups, server }),
    );
  }

  play(): GroupWaits {
    const requests = this.#load.clients * requestsPerClient;
    for (let i = 0; i < this.#load.clients; i++) {
      this.#send(0, randomInteger(this.#random, this.#groups.length));
    }
    let now = 0;
    while (this.#sends.length > 0 || this.#groups.some(isBusy)) {
      for (const group of this.#groups) this.#admit(group, now);
      const [seconds, steps] = this.#stepsFrom();
      now += seconds * steps;
      this.#assignUntil(now);
      for (const group of this.#groups) this.#endSteps(group, { steps, now });
      this.#coordinator.report(this.#counts(), now);
    }
    return { meanSeconds: this.#waitSeconds / requests, share: this.#waited / requests };
  }

  #send(afterSeconds: number, server: number): void {
    if (this.#sent++ >= this.#load.clients * requestsPerClient) return;
    const atSeconds = afterSeconds + this.#random.next() * clientSecondsMax;
    this.#sends.push({ atSeconds, server });
  }

  #admit({ running, waiting }: Group, now: number): void {
    while (running.length < this.#load.places) {
      const next = waiting.shift();
      if (next === undefined) return;
      running.push({ server: next.server, prompt: 1, left: this.#load.outputTokens });
      if (!next.isLate) continue;
      this.#waited++;
      this.#waitSeconds += now - next.atSeconds;
    }
    for (const one of waiting) one.isLate = true;
  }

  /** Computes prompts for one step; returns the duration of a step and the number of equal ones. */
  #stepsFrom(): [seconds: number, steps: number] {
    const { stepSeconds, promptSeconds, promptsPerStep } = this.#load;
    const computed = this.#groups.map(({ running }) => {
      let budget = promptsPerStep;
      for (const one of running) {
        const part = Math.min(one.prompt, budget);
        one.prompt -= part;
        budget -= part;
      }
      return promptsPerStep - budget;
    });
    const most = Math.max(...computed);
    if (most > 0 || this.#sends.length > 0) return [stepSeconds + most * promptSeconds, 1];
    const left = this.#groups.flatMap(({ running }) => running.map((one) => one.left));
    return [stepSeconds, Math.max(1, Math.min(...left))];
  }

  /** Assigns the requests that are sent during a step. */
  #assignUntil(endSeconds: number): void {
    const due = this.#sends.filter(({ atSeconds }) => atSeconds <= endSeconds);
    this.#sends = this.#sends.filter(({ atSeconds }) => atSeconds > endSeconds);
    for (const sent of due.sort((a, b) => a.atSeconds - b.atSeconds)) {
      const counts = this.#coordinator.publishedUntil(sent.atSeconds);
      if (counts) for (const server of this.#servers) server.receive(counts);
      const group = (this.#servers[sent.server] as CoreAssignment).next();
      this.#groups[group]?.waiting.push({ ...sent, isLate: false });
    }
  }

  #counts(): CoreCounts[] {
    return this.#groups.map(({ waiting, running }) => [waiting.length, running.length]);
  }

  #endSteps(group: Group, { steps, now }: { readonly steps: number; readonly now: number }): void {
    for (const one of group.running) {
      if (one.prompt > 0) continue;
      one.left -= steps;
      if (one.left <= 0) this.#send(now, one.server);
    }
    group.running = group.running.filter(({ left }) => left > 0);
  }
}

function isBusy({ running, waiting }: Group): boolean {
  return running.length + waiting.length > 0;
}

/**
 * Share of the clients that wait for a place in their group if each is assigned to a group at random: the most that
 * stale counts can cost, as perfect ones cost nothing.
 *
 * @param clients Clients of all groups together.
 * @param places Requests that one group runs at a time.
 * @returns In [0, 1). A share s of clients that wait takes s of the mean response time before the first token.
 */
export function waitingShareAtRandom(clients: number, groups: number, places: number): number {
  if (groups <= 1 || clients <= places) return 0;
  // The clients of one group are binomial: the logarithm of each probability follows from the one before.
  const p = 1 / groups;
  let logProbability = clients * Math.log(1 - p);
  let excess = 0;
  for (let n = 0; n <= clients; n++) {
    if (n > places) excess += (n - places) * Math.exp(logProbability);
    logProbability += Math.log((clients - n) / (n + 1)) + Math.log(p / (1 - p));
  }
  return (excess * groups) / clients;
}

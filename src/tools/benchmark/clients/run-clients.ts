// Sends one load from several processes: they start at the same time, and their requests are put together, so that percentiles are
// those of all requests.
import type { RequestRecord } from '../../../core/stats/index.ts';
import type { LoadOptions } from '../load-options.ts';
import {
  type ClientDeath,
  type ClientRun,
  knownRequests,
  type LoadOutcome,
  outcomeOf,
  planOf,
} from '../load-outcome.ts';
import type { LoadContext } from '../run-load.ts';
import { type ServeTraffic, serveSource } from '../serve-traffic.ts';
import { findModel, type TargetModel } from '../target.ts';
import { recordInGpuTime } from '../time-scale.ts';
import { ClientChild } from './client-child.ts';
import { machineClock } from './machine-clock.ts';
import { shareOf } from './part.ts';

/** Time for the message that says when to start. */
const startDelaySeconds = 0.05;

/**
 * Runs a load in `count` processes.
 *
 * @throws {InputError} If the server lacks the model, or refuses the first warm-up request.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export async function runClients(
  options: LoadOptions,
  traffic: ServeTraffic,
  count: number,
  context: LoadContext,
): Promise<LoadOutcome> {
  const { url, apiKey, headers } = options;
  const { signal, onRecord, keepsRecords = true } = context;
  const model = await findModel({ url, apiKey, headers, model: options.model, signal });
  const source = await serveSource(traffic, model);
  const plan = planOf(model, knownRequests(source, options), source.count);
  const records: RequestRecord[] = [];
  const fleet = new ClientFleet({ options, traffic, model, count }, (record) => {
    const inGpuTime = recordInGpuTime(record, options.timeScale);
    if (keepsRecords) records.push(inGpuTime);
    onRecord?.(inGpuTime);
    context.onProgress?.({
      ...{ total: plan.count, ...fleet.progress },
      lastSeconds: options.users === undefined ? plan.lastSeconds : undefined,
    });
  });
  try {
    await fleet.ready(signal);
    context.onReady?.(plan);
    const run = await fleet.run(signal);
    records.sort((a, b) => a.scheduledSeconds - b.scheduledSeconds);
    const clientDeaths = fleet.deaths;
    return outcomeOf({ ...run, records }, options, plan, { clients: count, clientDeaths });
  } finally {
    fleet.end();
  }
}

/** The processes of one run. */
class ClientFleet {
  readonly deaths: ClientDeath[] = [];
  readonly #children: readonly ClientChild[];
  readonly #onRecord: (record: RequestRecord) => void;
  #startSeconds = 0;

  constructor(
    load: {
      readonly options: LoadOptions;
      readonly traffic: ServeTraffic;
      readonly model: TargetModel;
      readonly count: number;
    },
    onRecord: (record: RequestRecord) => void,
  ) {
    const { options, traffic, model, count: of } = load;
    this.#onRecord = onRecord;
    this.#children = Array.from({ length: of }, (_, index) => {
      const part = { index, of };
      const { url, users, concurrencyMax } = options;
      const own = {
        url: url.href,
        users: users && shareOf(users, part),
        concurrencyMax: concurrencyMax && Math.max(1, shareOf(concurrencyMax, part)),
      };
      return new ClientChild({ options: { ...options, ...own }, traffic, model, part }, onRecord);
    });
  }

  get progress() {
    const sum = (key: 'sent' | 'completed' | 'failed') =>
      this.#children.reduce((total, child) => total + child[key], 0);
    const seconds = this.#nowSeconds();
    return { sent: sum('sent'), completed: sum('completed'), failed: sum('failed'), seconds };
  }

  /** Waits until all have warmed up. @throws {Error} If one of them ends, or the signal is aborted. */
  async ready(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<never>();
    const onAbort = () => stopped.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await Promise.race([Promise.all(this.#children.map(({ ready }) => ready)), stopped.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Sends the load. @returns What all of them measured, without the records. */
  async run(signal: AbortSignal): Promise<Omit<ClientRun, 'records'>> {
    const stopAll = () => this.#stop();
    signal.addEventListener('abort', stopAll, { once: true });
    this.#startSeconds = machineClock.nowSeconds() + startDelaySeconds;
    for (const child of this.#children) child.start(this.#startSeconds);
    const ends = await Promise.all(this.#children.map((child) => this.#endOf(child)));
    signal.removeEventListener('abort', stopAll);
    const runs = ends.filter((run) => run !== undefined);
    const sum = (key: 'promptMismatches' | 'outputMismatches' | 'cpuSeconds') =>
      runs.reduce((total, run) => total + run[key], 0);
    return {
      durationSeconds: Math.max(
        ...runs.map((run) => run.durationSeconds),
        ...this.deaths.map(({ atSeconds }) => atSeconds),
      ),
      isPartial: this.deaths.length > 0 || runs.some((run) => run.isPartial),
      isServerGone: runs.some((run) => run.isServerGone),
      promptMismatches: sum('promptMismatches'),
      outputMismatches: sum('outputMismatches'),
      cpuSeconds: sum('cpuSeconds'),
    };
  }

  end(): void {
    for (const child of this.#children) child.kill();
  }

  async #endOf(child: ClientChild): Promise<Omit<ClientRun, 'records'> | undefined> {
    const { result, death } = await child.ended;
    // The server is the same for all.
    if (result?.isServerGone) this.#stop();
    if (death === undefined) return result;
    const atSeconds = this.#nowSeconds();
    const lost = child.sent - child.completed - child.failed;
    this.deaths.push({ client: child.number, cause: death, atSeconds, lost });
    const message = `client process ${child.number} ended (${death})`;
    for (let i = 0; i < lost; i++) this.#onRecord(lostRecord(atSeconds, message));
    return undefined;
  }

  #stop(): void {
    for (const child of this.#children) child.stop();
  }

  #nowSeconds(): number {
    return machineClock.nowSeconds() - this.#startSeconds;
  }
}

/** A request that was in flight when its process ended; when it was sent is lost with it. */
function lostRecord(atSeconds: number, message: string): RequestRecord {
  return {
    ...{ scheduledSeconds: atSeconds, sentSeconds: atSeconds, endSeconds: atSeconds },
    ...{ chunkSeconds: [], promptTokens: 0, outputTokens: 0, cachedTokens: undefined },
    ...{ engine: undefined, engineName: undefined, isEmulated: false },
    ...{ engineLagSeconds: undefined, error: { kind: 'client_died', message } },
  };
}

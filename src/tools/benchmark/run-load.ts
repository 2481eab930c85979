// Sends load to a server and summarises its responses: what `bench replay`, `bench serve` and `compare` share.
import { type Clock, InputError, NoResponseError } from '../../core/base/index.ts';
import type { RequestRecord } from '../../core/stats/index.ts';
import type { LoadOptions } from './load-options.ts';
import {
  type ClientRun,
  knownRequests,
  type LoadOutcome,
  type LoadPlan,
  outcomeOf,
  planOf,
} from './load-outcome.ts';
import type { LoadSource } from './load-source.ts';
import { type ReplayProgress, replay } from './replay.ts';
import type { RequestWriter } from './request-body.ts';
import { createStreamClient, type StreamClient } from './stream-client.ts';
import { findModel, type TargetModel } from './target.ts';
import { recordInGpuTime, toGpuTime } from './time-scale.ts';

/** What a run needs from its caller. */
export interface LoadContext {
  readonly clock: Clock;
  /** Stops the run; what was measured so far is returned. */
  readonly signal: AbortSignal;
  readonly onReady?: (plan: LoadPlan) => void;
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** Called when a request has ended; times are GPU seconds. */
  readonly onRecord?: (record: RequestRecord) => void;
  /** Whether the outcome has the records; without, its report is empty. @default true */
  readonly keepsRecords?: boolean;
}

/**
 * Runs a load.
 *
 * @param sourceFor Called once, with the model that the server has.
 * @throws {InputError} If the server lacks the model, or refuses the first warm-up request.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export async function runLoad(
  options: LoadOptions,
  sourceFor: (model: TargetModel) => LoadSource | Promise<LoadSource>,
  context: LoadContext,
): Promise<LoadOutcome> {
  const { url, apiKey, headers, timeScale } = options;
  const { clock, signal, onReady, onRecord } = context;
  const model = await findModel({ url, apiKey, headers, model: options.model, signal });
  const source = await sourceFor(model);
  const plan = planOf(model, knownRequests(source, options), source.count);
  const run = await measure(options, source, {
    ...context,
    onRecord: (record) => onRecord?.(recordInGpuTime(record, timeScale)),
    start: () => {
      onReady?.(plan);
      return clock.nowSeconds();
    },
  });
  const records = toGpuTime(run.records, timeScale);
  return outcomeOf({ ...run, records }, options, plan, { clients: 1, clientDeaths: [] });
}

/**
 * Warms up and sends the requests of a source from this process. Times are wall-clock seconds.
 *
 * @param context.start Returns the time at which the load starts; called when everything is ready.
 * @throws {InputError} If the server refuses the first warm-up request.
 * @throws {NoResponseError} If it has gone.
 */
export async function measure(
  options: LoadOptions,
  source: LoadSource,
  context: Omit<LoadContext, 'onReady'> & { readonly start: () => number | Promise<number> },
): Promise<ClientRun> {
  const { url, apiKey, headers, timeoutMs } = options;
  const { clock, signal, onProgress, onRecord, keepsRecords } = context;
  const client = createStreamClient({ url, apiKey, headers, timeoutMs, clock });
  try {
    await warmUp(options.warmupRequests, source.writer, client, signal);
    let cpuAtStart = process.cpuUsage();
    const { concurrencyMax, users, untilSeconds, refusedMax, sessionHeader } = options;
    const result = await replay({
      ...{ source, client, clock, signal, onProgress, onRecord, keepsRecords },
      ...{ concurrencyMax, users, untilSeconds, refusedMax, sessionHeader },
      start: async () => {
        const startSeconds = await context.start();
        cpuAtStart = process.cpuUsage();
        return startSeconds;
      },
    });
    const cpu = process.cpuUsage(cpuAtStart);
    return { ...result, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
  } finally {
    client.close();
  }
}

/** Opens connections and warms up both programs with prompts that occur in no load. */
async function warmUp(
  count: number,
  writer: RequestWriter,
  client: StreamClient,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; i < count && !signal.aborted; i++) {
    const request = {
      arrivalSeconds: 0,
      promptTokens: 16,
      outputTokens: 4,
      blockIds: [Number.MAX_SAFE_INTEGER - i],
    };
    const { error } = await client.send({ api: writer.api, body: writer.body(request) }, signal);
    if (error?.kind === 'refused') {
      throw new NoResponseError(`The server has gone before the load: ${error.message}.`);
    }
    if (error !== undefined && error.kind !== 'interrupted') {
      throw new InputError(`The first warm-up request failed (${error.kind}): ${error.message}.`);
    }
  }
}

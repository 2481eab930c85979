// The program of one of several client processes: sends its part of the load when the parent says so, and reports each request.
import { NoResponseError, SpillwayError } from '../../../core/base/index.ts';
import type { RequestRecord } from '../../../core/stats/index.ts';
import type { ReplayProgress } from '../replay.ts';
import { measure } from '../run-load.ts';
import { serveSource } from '../serve-traffic.ts';
import { machineClock } from './machine-clock.ts';
import type { ClientTask, FromClient, ToClient } from './messages.ts';

/** Interval of reports, in milliseconds. A process that dies loses what it has not reported. */
const reportMs = 100;

const stop = new AbortController();
const start = Promise.withResolvers<number>();

// A terminal sends Ctrl-C to all processes; the parent decides what it means.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToClient) => {
  if (message.kind === 'task') void run(message.task);
  else if (message.kind === 'start') start.resolve(message.atSeconds);
  else stop.abort();
});

async function run(task: ClientTask): Promise<void> {
  const options = { ...task.options, url: new URL(task.options.url) };
  const { model, part, traffic } = task;
  let records: RequestRecord[] = [];
  let progress: ReplayProgress | undefined;
  const report = () => {
    if (progress === undefined) return;
    send({ kind: 'records', records, progress });
    records = [];
    progress = undefined;
  };
  try {
    const source = await serveSource(traffic, model, part);
    const { records: _, ...result } = await measure(options, source, {
      ...{ clock: machineClock, signal: stop.signal },
      start: () => {
        send({ kind: 'ready' });
        setInterval(report, reportMs).unref();
        return start.promise;
      },
      onRecord: (record) => records.push(record),
      onProgress: (now) => {
        progress = now;
      },
      keepsRecords: false,
    });
    report();
    send({ kind: 'done', result }, () => process.exit());
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const isGone = error instanceof NoResponseError;
    send({ kind: 'refused', message: error.message, isGone }, () => process.exit());
  }
}

function send(message: FromClient, onSent: () => void = () => undefined): void {
  process.send?.(message, onSent);
}

// What a run of several client processes and those processes say to each other.
import type { RequestRecord } from '../../../core/stats/index.ts';
import type { LoadOptions } from '../load-options.ts';
import type { ClientRun } from '../load-outcome.ts';
import type { ReplayProgress } from '../replay.ts';
import type { ServeTraffic } from '../serve-traffic.ts';
import type { TargetModel } from '../target.ts';
import type { Part } from './part.ts';

/** What a process sends, and to whom. */
export interface ClientTask {
  readonly options: Omit<LoadOptions, 'url'> & { readonly url: string };
  readonly traffic: ServeTraffic;
  readonly model: TargetModel;
  readonly part: Part;
}

export type ToClient =
  | { readonly kind: 'task'; readonly task: ClientTask }
  /** The time at which the load starts, on the clock that all processes of a machine share. */
  | { readonly kind: 'start'; readonly atSeconds: number }
  | { readonly kind: 'stop' };

export type FromClient =
  /** Warmed up, with its first requests written. */
  | { readonly kind: 'ready' }
  /** Requests that have ended since the last message, in wall-clock seconds since the start. */
  | {
      readonly kind: 'records';
      readonly records: readonly RequestRecord[];
      readonly progress: ReplayProgress;
    }
  | { readonly kind: 'done'; readonly result: Omit<ClientRun, 'records'> }
  /** Ended before the load, because the server has gone or refuses what is sent. */
  | { readonly kind: 'refused'; readonly message: string; readonly isGone: boolean };

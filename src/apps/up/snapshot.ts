// The state of a stack at one moment, as `spillway up` sees it.
import type {
  EngineHistoryView,
  PickView,
  RequestView,
  RouterView,
} from '../../core/views/index.ts';

/** One child process or remote engine of the stack. */
export interface ProcessSnapshot {
  readonly name: string;
  readonly kind: 'embedded' | 'vllm' | 'url' | 'router' | 'prometheus' | 'cache';
  readonly url: string;
  readonly model: string | undefined;
  /** `starting`, `ready`, `restarting`, `stopping`, `stopped`; `remote` if it was not started here. */
  readonly state: string;
  /** Why it is in this state; empty if there is nothing to add. */
  readonly detail: string;
  readonly pid: number | undefined;
  readonly restarts: number;
}

/** The whole stack at one moment. */
export interface StackSnapshot {
  readonly processes: readonly ProcessSnapshot[];
  /** Undefined while the router does not respond; null if there is none. */
  readonly router: RouterView | undefined | null;
}

/** What is shown of one engine beyond the snapshot, oldest first. */
export interface EngineDetails {
  readonly name: string;
  /** The last lines of its process; empty for an engine that was not started here. */
  readonly log: readonly string[];
  /** Empty while the router does not respond. */
  readonly requests: readonly RequestView[];
  readonly picks: readonly PickView[];
  /** Undefined before the first point, and while the router does not respond. */
  readonly history: EngineHistoryView | undefined;
}

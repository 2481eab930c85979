// Runs of the layouts of a plan. Deciding and printing use the same ones, so that the page shows what decided.
import { seededRandom } from '../../core/base/index.ts';
import { pointKind } from '../../core/engine/index.ts';
import type { OffloadKind } from '../../core/plan/index.ts';
import { withFp8Kv } from './kv-dtype.ts';
import { modelErrors } from './model-errors.ts';
import { type PlayOptions, playLayout } from './play.ts';
import type { Played } from './played.ts';

/** A fleet to simulate. */
export interface Layout {
  readonly engines: number;
  readonly kvOffload: OffloadKind;
  readonly offloadGiB: number;
  readonly policy: string;
  readonly kvDtype?: 'fp8' | undefined;
  readonly prefillEngines?: number | undefined;
}

/** What all layouts of a plan have in common. */
export type LayoutBase = Omit<PlayOptions, 'kvOffload' | 'offloadGiB' | 'seed' | 'error'>;

/** Number of simulated fleets per layout, each with its own traffic and error of the engine model. */
export const runsPerLayout = 5;

export interface LayoutRuns {
  readonly base: LayoutBase;
  readonly seed: number;
  /** Returns the runs of a layout, which are made once. */
  of(wish: Layout): readonly Played[];
}

/** Equal arguments give equal runs. Keeps those of each layout that was asked for: a few dozen at most. */
export function layoutRuns(base: LayoutBase, seed: number): LayoutRuns {
  const errors = modelErrors(runsPerLayout, pointKind(base.layout.model), seededRandom(seed));
  const fp8Layout = withFp8Kv(base.layout);
  const made = new Map<string, readonly Played[]>();
  return {
    base,
    seed,
    of(wish) {
      const key = JSON.stringify(wish);
      const known = made.get(key);
      if (known) return known;
      const { kvDtype, ...settings } = wish;
      const layout = (kvDtype === 'fp8' && fp8Layout) || base.layout;
      const runs = errors.map((error, i) =>
        playLayout({ ...base, ...settings, layout, error, seed: seed * 1000 + i }),
      );
      made.set(key, runs);
      return runs;
    },
  };
}

/** Returns the planned fleet with one of the offloads. */
export function layoutWithOffload(
  { engines, policy }: Pick<LayoutBase, 'engines' | 'policy'>,
  kvOffload: OffloadKind,
  offloadGiB: number,
): Layout {
  return { engines, policy, kvOffload, offloadGiB: kvOffload === 'none' ? 0 : offloadGiB };
}

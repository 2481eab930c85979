// Engines that fail for a while, one after another: the faults of bench/chaos.ts in virtual time.

import type { FaultyEngine } from './faulty-engine.ts';
import type { StrikeName } from './strike-name.ts';
import type { Timeline } from './timeline.ts';

export interface StrikeSettings {
  /** In turn. */
  readonly names: readonly StrikeName[];
  /** Interval between two strikes. */
  readonly everySeconds: number;
  /** How long an engine fails. */
  readonly seconds: number;
}

/** At most this share of the engines is struck at once, so that the others can take what it leaves. */
const struckShareMax = 0.5;

/**
 * Strikes one engine after another.
 *
 * @param isOver Whether to stop.
 */
export function strikeInTurn(
  timeline: Timeline,
  engines: readonly FaultyEngine[],
  { names, everySeconds, seconds }: StrikeSettings,
  isOver: () => boolean,
): void {
  const struck = new Set<FaultyEngine>();
  const strike = (turn: number) => {
    if (isOver()) return;
    // Steps of 3 visit all of 8 engines, and not neighbours after each other.
    const order = engines.map((_, i) => engines[(3 * turn + i) % engines.length] as FaultyEngine);
    const target = order.find((engine) => !struck.has(engine));
    if (target !== undefined && struck.size < engines.length * struckShareMax) {
      const name = names[turn % names.length] as StrikeName;
      struck.add(target);
      target.strike(name, seconds);
      timeline.after(seconds, `${target.url} is whole`, () => struck.delete(target));
    }
    timeline.after(everySeconds, 'strike', () => strike(turn + 1));
  };
  timeline.after(everySeconds, 'strike', () => strike(0));
}

// The state of a whole release, from those of its parts.
import { counted } from '../base/index.ts';
import type { ComponentState } from './component.ts';
import type { Health } from './pod-state.ts';

export interface StackState {
  readonly health: Health;
  /** One sentence. */
  readonly summary: string;
  readonly components: readonly ComponentState[];
}

/** What the stack lacks counts before what it has: it is as healthy as its worst part. */
export function stackState(components: readonly ComponentState[]): StackState {
  const worst = (['failed', 'waiting', 'starting'] as const).find((health) =>
    components.some((component) => component.health === health),
  );
  const ready = components.filter(({ health }) => health === 'ready').length;
  if (components.length === 0) {
    return { health: 'waiting', summary: 'The release has no workloads.', components };
  }
  if (worst === undefined) {
    const what = counted(ready, 'component');
    return { health: 'ready', summary: `All pods of ${what} are ready.`, components };
  }
  return {
    health: worst,
    summary: `${ready} of ${counted(components.length, 'component')} ${ready === 1 ? 'is' : 'are'} ready.`,
    components,
  };
}

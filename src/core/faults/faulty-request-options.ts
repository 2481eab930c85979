// What a request of a fault run is made from.
import type { AttemptEffects, AttemptMachine } from '../attempts/index.ts';
import type { RoutingRequest } from '../routing/index.ts';
import type { FaultSettings } from './fault-settings.ts';
import type { FaultyEngine, SentRequest } from './faulty-engine.ts';
import type { FaultyRouter } from './faulty-router.ts';
import type { Invariants } from './invariants.ts';
import type { Timeline } from './timeline.ts';

export interface FaultyRequestOptions {
  readonly name: string;
  readonly settings: FaultSettings;
  readonly timeline: Timeline;
  readonly invariants: Invariants;
  readonly router: FaultyRouter;
  readonly engineOf: ReadonlyMap<string, FaultyEngine>;
  readonly routingRequest: RoutingRequest;
  readonly sent: SentRequest;
  /** In the admission queue. */
  readonly priority: number;
  /** Draws the network delay of the next connection. */
  delaySeconds(): number;
  createMachine(effects: AttemptEffects): AttemptMachine;
  /** Called when it has ended. */
  onOver(): void;
}

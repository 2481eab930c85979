// The plan of the stack beside what the router measures, and the state of the gate: /dashboard/plan.
import { listOf, nullable, number, objectOf, oneOf, parserOf, text } from './json-shape.ts';

/** A planned figure with the interval that contains 90 % of its simulations. */
export interface PlannedFigureView {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Figures that a plan and a router both have. Latencies are in seconds, shares in [0, 1]. */
export const planFigureNames = [
  /** Mean time to the first token. */
  'ttftSeconds',
  /** Mean time per output token after the first. */
  'tpotSeconds',
  /** Output tokens per second of the whole fleet. */
  'tokensPerSecond',
  /** Share of prompt tokens that were cached. */
  'hitRate',
  /** P99 of the KV cache utilization, of the fullest engine. */
  'kvUsageP99',
  /** Number of engines; the measured ones are live. */
  'engines',
] as const;
export type PlanFigureName = (typeof planFigureNames)[number];

/** A figure of the plan; null where the plan has none, as for the latency of an overloaded fleet. */
export type PlannedView = { readonly [Name in PlanFigureName]: PlannedFigureView | null };

/** What the router measures; null where it has no data yet. */
export type MeasuredView = { readonly [Name in PlanFigureName]: number | null };

export type GateState = 'pass' | 'fail' | 'unknown';

export interface GateEngineView {
  readonly name: string;
  readonly verdict: GateState;
  /** Null without samples. */
  readonly p99: number | null;
  /** Share of the samples that the window should have. */
  readonly coverage: number;
}

/** The gate over the samples that the router has. `unknown`: too few for a verdict. */
export interface GateView {
  readonly verdict: GateState;
  /** The reason in words. */
  readonly because: string;
  /** Highest P99 that passes. */
  readonly max: number;
  readonly windowSeconds: number;
  /** Engines judged; more than `engines` lists. */
  readonly judged: number;
  /** The fullest ones first. */
  readonly engines: readonly GateEngineView[];
}

/** The whole of /dashboard/plan. */
export interface PlanView {
  /** Null if the router was given no plan. */
  readonly planned: PlannedView | null;
  readonly measured: MeasuredView;
  /** Requests that the measured latencies are of: the last ones that were completed and streamed. */
  readonly measuredRequests: number;
  readonly gate: GateView;
}

const gateState = oneOf(['pass', 'fail', 'unknown']);
const figure = objectOf<PlannedFigureView>({ mean: number, low: number, high: number });

const plan = objectOf<PlanView>({
  planned: nullable(objectOf<PlannedView>(eachFigure(nullable(figure)))),
  measured: objectOf<MeasuredView>(eachFigure(nullable(number))),
  measuredRequests: number,
  gate: objectOf<GateView>({
    verdict: gateState,
    because: text,
    max: number,
    windowSeconds: number,
    judged: number,
    engines: listOf(
      objectOf<GateEngineView>({
        ...{ name: text, verdict: gateState, p99: nullable(number), coverage: number },
      }),
    ),
  }),
});

/** Reads /dashboard/plan. @throws {JsonShapeError} */
export const parsePlanView: (json: string) => PlanView = parserOf(plan);

function eachFigure<T>(reader: T): { [Name in PlanFigureName]: T } {
  return Object.fromEntries(planFigureNames.map((name) => [name, reader])) as {
    [Name in PlanFigureName]: T;
  };
}

// A step of the engine: during planning, and once planned.
import type { EngineStep, StepCostModel, StepLoad } from './contract.ts';
import type { EngineRequest } from './request.ts';
import type { Sequence } from './sequence.ts';

export interface PlanLimits {
  /** Maximum tokens of the whole step. */
  readonly tokensMax: number;
  /** Maximum tokens of one request. */
  readonly requestTokensMax: number;
}

/** A step during planning. */
export class StepPlan {
  readonly sequences: Sequence[] = [];
  readonly tokens: number[] = [];
  readonly preempted: EngineRequest[];
  /** Length of `preempted` when this plan started. */
  readonly preemptedBefore: number;
  budget: number;
  readonly #requestTokensMax: number;

  /** @param preempted Requests preempted by previous plans that stayed empty. */
  constructor({ tokensMax, requestTokensMax }: PlanLimits, preempted: EngineRequest[]) {
    this.budget = tokensMax;
    this.#requestTokensMax = requestTokensMax;
    this.preempted = preempted;
    this.preemptedBefore = preempted.length;
  }

  get hasPreempted(): boolean {
    return this.preempted.length > this.preemptedBefore;
  }

  /** Number of a request's remaining tokens that one step may compute. */
  chunk(tokens: number): number {
    return Math.min(tokens, this.#requestTokensMax);
  }

  add(sequence: Sequence, tokens: number): void {
    this.sequences.push(sequence);
    this.tokens.push(tokens);
    this.budget -= tokens;
  }

  /** Removes a preempted sequence again; returns whether it was scheduled. */
  remove(sequence: Sequence): boolean {
    const index = this.sequences.indexOf(sequence);
    if (index < 0) return false;
    this.budget += this.tokens[index] as number;
    this.sequences.splice(index, 1);
    this.tokens.splice(index, 1);
    return true;
  }
}

/** A step that is planned and computing; or a run of steps, each giving one token to the same requests. */
export class PlannedStep implements EngineStep {
  readonly startSeconds: number;
  readonly load: StepLoad;
  readonly sequences: readonly Sequence[];
  readonly scheduledTokens: readonly number[];
  readonly preempted: readonly EngineRequest[];
  readonly #endsSeconds: number[];

  constructor(plan: StepPlan, load: StepLoad, startSeconds: number, endSeconds: number) {
    this.startSeconds = startSeconds;
    this.#endsSeconds = [endSeconds];
    this.load = load;
    this.sequences = plan.sequences;
    this.scheduledTokens = plan.tokens;
    this.preempted = plan.preempted;
  }

  get endSeconds(): number {
    return this.#endsSeconds.at(-1) as number;
  }

  get endsSeconds(): readonly number[] {
    return this.#endsSeconds;
  }

  get requests(): readonly EngineRequest[] {
    return this.sequences.map(({ request }) => request);
  }

  /** Turns it into a run of this many decode steps, in each of which every context grows by one token. */
  repeat(steps: number, cost: StepCostModel): void {
    const { load } = this;
    const stepSeconds = cost.byContext?.(load) ?? anyByContext(cost, load);
    let { decodeContextTokens } = load;
    let endSeconds = this.endSeconds;
    for (let step = 1; step < steps; step++) {
      decodeContextTokens += load.decodeSequences;
      endSeconds += stepSeconds(decodeContextTokens);
      this.#endsSeconds.push(endSeconds);
    }
  }

  /** Ends the run with the step that computes at `nowSeconds`. */
  cut(nowSeconds: number): void {
    const ends = this.#endsSeconds;
    let steps = ends.length;
    while (steps > 1 && (ends[steps - 2] as number) >= nowSeconds) steps--;
    ends.length = steps;
  }
}

/** For a cost model without a function for steps that differ only in their contexts. */
function anyByContext(cost: StepCostModel, first: StepLoad): (contextTokens: number) => number {
  const load = { ...first };
  return (contextTokens) => {
    load.decodeContextTokens = contextTokens;
    return cost.stepSeconds(load);
  };
}

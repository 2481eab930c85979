// A step of the engine: while it is being planned, and once it is.
import type { EngineRequest, EngineStep, StepLoad } from './contract.ts';
import type { Sequence } from './sequence.ts';

export interface PlanLimits {
  /** Tokens of the whole step. */
  readonly tokensMax: number;
  /** Tokens that one request may compute. */
  readonly requestTokensMax: number;
}

/** A step while it is being planned. */
export class Plan {
  readonly sequences: Sequence[] = [];
  readonly tokens: number[] = [];
  readonly preempted: EngineRequest[];
  /** Length of `preempted` when this plan began. */
  readonly preemptedBefore: number;
  budget: number;
  readonly #requestTokensMax: number;

  /** @param preempted By the plans before it that came to nothing. */
  constructor({ tokensMax, requestTokensMax }: PlanLimits, preempted: EngineRequest[]) {
    this.budget = tokensMax;
    this.#requestTokensMax = requestTokensMax;
    this.preempted = preempted;
    this.preemptedBefore = preempted.length;
  }

  get hasPreempted(): boolean {
    return this.preempted.length > this.preemptedBefore;
  }

  /** Of the tokens a request still has to compute, those that it may in one step. */
  chunk(tokens: number): number {
    return Math.min(tokens, this.#requestTokensMax);
  }

  add(sequence: Sequence, tokens: number): void {
    this.sequences.push(sequence);
    this.tokens.push(tokens);
    this.budget -= tokens;
  }

  /** Takes a preempted sequence out again; answers whether it was in. */
  remove(sequence: Sequence): boolean {
    const index = this.sequences.indexOf(sequence);
    if (index < 0) return false;
    this.budget += this.tokens[index] as number;
    this.sequences.splice(index, 1);
    this.tokens.splice(index, 1);
    return true;
  }
}

/** A step that is planned and computing. */
export class PlannedStep implements EngineStep {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly load: StepLoad;
  readonly sequences: readonly Sequence[];
  readonly scheduledTokens: readonly number[];
  readonly preempted: readonly EngineRequest[];

  constructor(plan: Plan, load: StepLoad, startSeconds: number, endSeconds: number) {
    this.startSeconds = startSeconds;
    this.endSeconds = endSeconds;
    this.load = load;
    this.sequences = plan.sequences;
    this.scheduledTokens = plan.tokens;
    this.preempted = plan.preempted;
  }

  get requests(): readonly EngineRequest[] {
    return this.sequences.map(({ request }) => request);
  }
}

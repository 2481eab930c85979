// Where a plan that the rules let stand does not do what its input asks: money, load, goals.
import { dollars, milliseconds, percent } from './figures.ts';
import type { Plan } from './plan.ts';

export interface Shortfall {
  readonly of: 'budget' | 'load' | 'goals';
  /** One sentence, without its full stop. */
  readonly because: string;
}

/**
 * None of these is a rule of the decider: they cost no exit status, and stand below the verdict.
 */
export function shortfalls(
  plan: Pick<Plan, 'impact' | 'layout' | 'input' | 'engines' | 'shortfall'>,
): Shortfall[] {
  return [...budget(plan), ...load(plan), ...goals(plan)];
}

function budget({
  layout,
  engines,
  input,
  shortfall,
}: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const { budgetPerHour } = input.operations;
  const { pricePerHour } = layout;
  if (budgetPerHour === undefined || pricePerHour === undefined) return [];
  const affordable = Math.floor(budgetPerHour / pricePerHour);
  const pays = `it pays for ${affordable === 0 ? 'none' : affordable}`;
  if (pricePerHour * engines > budgetPerHour) {
    const because =
      `${engines} ${engines === 1 ? 'engine costs' : 'engines cost'} ${dollars(pricePerHour * engines)} an hour, ` +
      `over the budget of ${dollars(budgetPerHour)}: ${pays}`;
    return [{ of: 'budget', because }];
  }
  // Fewer engines were chosen than the goals ask for.
  return shortfall === undefined ? [] : [{ of: 'goals', because: shortfall }];
}

function load({ impact }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  if (!impact.planned.isOverloaded) return [];
  const because =
    'OVERLOADED: requests come faster than this fleet answers them, and its latencies grow for as long as that lasts; ' +
    'more engines, or engines: choose, would do';
  return [{ of: 'load', because }];
}

function goals({ impact: { planned }, input }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const { ttftMs, tpotMs, e2eMs } = input.slo;
  const missed = [
    { name: 'TTFT', goal: ttftMs, is: planned.ttftMs.mean },
    { name: 'TPOT', goal: tpotMs, is: planned.tpotMs.mean },
    { name: 'E2E', goal: e2eMs, is: planned.e2eMs.mean },
  ].filter(({ goal = Number.POSITIVE_INFINITY, is }) => is > goal);
  return missed.map(({ name, goal = 0, is }) => ({
    of: 'goals',
    because:
      `the mean ${name} of ${milliseconds(is)} misses the goal of ${milliseconds(goal)}; ` +
      `${percent(planned.goodput.mean)} of the requests meet all goals`,
  }));
}

// Shortfalls of a plan that stands: budget, load, goals and features.
import { counted } from '../../core/base/index.ts';
import { chartLacks } from '../../core/plan/index.ts';
import { dollars, milliseconds, roundPercent } from '../report/index.ts';
import type { Plan, Shortfall } from './plan.ts';
import { goodputMin } from './sizing.ts';

/**
 * Returns the shortfalls. None is a rule of the decider: they do not change the exit status.
 */
export function shortfalls(
  plan: Pick<Plan, 'impact' | 'layout' | 'input' | 'engines' | 'shortfall' | 'decision' | 'facts'>,
): Shortfall[] {
  return [...budget(plan), ...load(plan), ...goals(plan), ...needs(plan)];
}

function needs({ decision, facts }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const lacking = chartLacks(facts);
  if (decision.stack !== 'production-stack' || lacking.length === 0) return [];
  const because = `the chart has no ${lacking.join(', ')}; add a gateway in front, or build your own stack (handRolled: true)`;
  return [{ of: 'needs', because }];
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
      `${counted(engines, 'engine costs', 'engines cost')} ${dollars(pricePerHour * engines)} per hour, ` +
      `over the budget of ${dollars(budgetPerHour)}: ${pays}`;
    return [{ of: 'budget', because }];
  }
  // The budget allows fewer engines than the goals need.
  return shortfall === undefined ? [] : [{ of: 'goals', because: shortfall }];
}

function load({ impact }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  if (!impact.planned.isOverloaded) return [];
  const because =
    'OVERLOADED: requests arrive faster than this fleet serves them, and latencies keep growing; ' +
    'add engines, or set engines: choose';
  return [{ of: 'load', because }];
}

function goals({ impact: { planned }, input }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const { ttftMs, tpotMs, e2eMs } = input.slo;
  const given = [
    { name: 'TTFT', goal: ttftMs, is: planned.ttftMs.mean },
    { name: 'TPOT', goal: tpotMs, is: planned.tpotMs.mean },
    { name: 'E2E', goal: e2eMs, is: planned.e2eMs.mean },
  ].flatMap(({ goal, ...rest }) => (goal === undefined ? [] : [{ goal, ...rest }]));
  const missed = given.filter(({ goal, is }) => is > goal);
  const meeting = `${roundPercent(planned.goodput.mean)} of the requests meet all goals`;
  if (missed.length === 0 && given.length > 0 && planned.goodput.mean < goodputMin) {
    const because = `${meeting}, less than the ${roundPercent(goodputMin)} that a fleet should reach`;
    return [{ of: 'goals', because }];
  }
  return missed.map(({ name, goal, is }) => ({
    of: 'goals',
    because: `the mean ${name} of ${milliseconds(is)} misses the goal of ${milliseconds(goal)}; ${meeting}`,
  }));
}

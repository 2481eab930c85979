// Shortfalls of a plan that stands: budget, load, goals and features.
import { counted } from '../../core/base/index.ts';
import { chartLacks, chartLacksText } from '../../core/plan/index.ts';
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
  const because = `${chartLacksText(facts)}; add a gateway in front, or build your own stack (handRolled: true)`;
  return [{ of: 'needs', because }];
}

function budget({ layout, engines, input }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const { budgetPerHour } = input.operations;
  const { pricePerHour } = layout;
  if (budgetPerHour === undefined || pricePerHour === undefined) return [];
  const affordable = Math.floor(budgetPerHour / pricePerHour);
  if (pricePerHour * engines <= budgetPerHour) return [];
  const because =
    `${counted(engines, 'engine costs', 'engines cost')} ${dollars(pricePerHour * engines)} per hour, ` +
    `over the budget of ${dollars(budgetPerHour)}: it pays for ${affordable === 0 ? 'none' : affordable}`;
  return [{ of: 'budget', because }];
}

function load({ impact, input }: Parameters<typeof shortfalls>[0]): Shortfall[] {
  if (!impact.planned.isOverloaded) return [];
  const because =
    'OVERLOADED: requests arrive faster than this fleet serves them, and latencies keep growing; ' +
    (input.fleet.engines === 'choose'
      ? 'a larger budget, faster GPUs or less load are needed'
      : 'add engines, or set engines: choose');
  return [{ of: 'load', because }];
}

/** The goals are met if enough requests meet all of them; means that miss a goal explain why they are not. */
function goals(plan: Parameters<typeof shortfalls>[0]): Shortfall[] {
  const { impact, input, shortfall } = plan;
  const { planned } = impact;
  // What the size could not reach. Of a fixed size over the budget, that is said already.
  if (shortfall !== undefined && budget(plan).length === 0) {
    return [{ of: 'goals', because: shortfall }];
  }
  const { ttftMs, tpotMs, e2eMs } = input.slo;
  const missed = [
    { name: 'TTFT', goal: ttftMs, is: planned.ttftMs.mean },
    { name: 'TPOT', goal: tpotMs, is: planned.tpotMs.mean },
    { name: 'E2E', goal: e2eMs, is: planned.e2eMs.mean },
  ].flatMap(({ name, goal, is }) =>
    goal === undefined || is <= goal
      ? []
      : [`; the mean ${name} of ${milliseconds(is)} misses the goal of ${milliseconds(goal)}`],
  );
  const isGiven = [ttftMs, tpotMs, e2eMs].some((goal) => goal !== undefined);
  if (!isGiven || planned.goodput.mean >= goodputMin) return [];
  const because =
    `${roundPercent(planned.goodput.mean)} of the requests meet all goals, less than the ` +
    `${roundPercent(goodputMin)} that a fleet should reach${missed.join('')}`;
  return [{ of: 'goals', because }];
}

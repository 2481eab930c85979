// The dashboards, in the order of their use.
import type { Dashboard } from './dashboard.ts';
import { cache, lmcache } from './dashboards/cache.ts';
import { cost } from './dashboards/cost.ts';
import { engineFleet } from './dashboards/engines.ts';
import { perModel } from './dashboards/models.ts';
import { planned } from './dashboards/plan.ts';
import { routing } from './dashboards/router.ts';
import { stack } from './dashboards/stack.ts';

export const dashboards: readonly Dashboard[] = [
  stack,
  engineFleet,
  perModel,
  routing,
  cache,
  lmcache,
  cost,
  planned,
];

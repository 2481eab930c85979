// The declaration of `predictive`.
import { definePolicy } from '../../define-policy.ts';
import { PredictivePolicy } from './predictive.ts';
import { updateSecondsMax } from './prefill-backlog.ts';

export const predictive = definePolicy({
  name: 'predictive',
  summary:
    'the engine with the lowest predicted time to first token, including the delay that the pick causes for other requests',
  // Its weights are options of the class and not parameters: results are flat around them.
  parameters: {},
  consumes: {
    prompts: 'optional',
    kvEvents: 'optional',
    tokens: 'optional',
    cacheTiers: 'optional',
    engineReports: { need: 'optional' },
    routerUpdates: { need: 'optional', delaySecondsMax: updateSecondsMax },
  },
  create: ({ random, kvIndex, tiers }) => new PredictivePolicy(random, { kvIndex, tiers }),
});

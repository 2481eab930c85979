// The cases of all rules, by the name of their file.
import { engineCases } from './engine-cases.ts';
import { hbmCases } from './hbm-cases.ts';
import { routerCases } from './router-cases.ts';
import type { RuleCases } from './rule-case.ts';
import { slowCases } from './slow-cases.ts';

export const ruleCases: Readonly<Record<string, RuleCases>> = {
  hbm: hbmCases,
  engines: engineCases,
  router: routerCases,
  slow: slowCases,
};

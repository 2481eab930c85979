// All rules, in the order of their files.
import { defaultThresholds } from '../../values/index.ts';
import { engineAlerts, engineRecordings } from './engine-rules.ts';
import { gateAlerts, gateRecordings, hbmAlerts } from './hbm-rules.ts';
import { routerAlerts, routerRecordings } from './router-rules.ts';
import type { RuleGroup } from './rule.ts';

/** Series that Prometheus records, by which alerts and long ranges are cheap. */
export const recordingRules: readonly RuleGroup[] = [
  gateRecordings,
  engineRecordings,
  routerRecordings,
];

export const alertRules: readonly RuleGroup[] = [
  hbmAlerts(defaultThresholds),
  gateAlerts(defaultThresholds),
  engineAlerts,
  routerAlerts,
];

// The single gate at the end of every plan.
import { percent } from './figures.ts';
import type { Plan } from './plan.ts';

/** Where Prometheus listens unless something else is said. */
const prometheusDefault = 'http://127.0.0.1:9090';

/** What must hold, and the command that checks it. */
export function gateCommand(plan: GatedPlan): string {
  return (
    `HBM utilization P99 over the last 24 h at most ${percent(plan.thresholds.hbmUtilization)} on every engine: ` +
    `\`${gateShell(plan)}\``
  );
}

type GatedPlan = Pick<Plan, 'thresholds' | 'prometheusUrl'>;

/** The command alone. */
export function gateShell({ thresholds, prometheusUrl = prometheusDefault }: GatedPlan): string {
  return `spillway gate --prometheus ${withoutSecrets(prometheusUrl)} --window 24h --max ${thresholds.hbmUtilization}`;
}

/** A page is passed on: a name and password in the URL are not for everybody who reads it. */
function withoutSecrets(text: string): string {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return text;
  url.username = '';
  url.password = '';
  return url.href;
}

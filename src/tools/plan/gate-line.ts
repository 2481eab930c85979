// The gate at the end of every plan.
import { shellWord } from '../../core/quoting/index.ts';
import { roundPercent } from '../report/index.ts';
import type { Plan } from './plan.ts';

/** Default URL of Prometheus. */
const prometheusDefault = 'http://127.0.0.1:9090';

/** Returns the condition of the gate and the command that checks it. */
export function gateCommand(plan: GatedPlan): string {
  return (
    `HBM utilization P99 over the last 24 h at most ${roundPercent(plan.thresholds.hbmUtilization)} on every engine: ` +
    `\`${gateShell(plan)}\``
  );
}

type GatedPlan = Pick<Plan, 'thresholds' | 'prometheusUrl'>;

/** Returns the command. */
export function gateShell({ thresholds, prometheusUrl = prometheusDefault }: GatedPlan): string {
  return `spillway gate --prometheus ${shellWord(withoutSecrets(prometheusUrl))} --window 24h --max ${thresholds.hbmUtilization}`;
}

/** Removes user name and password from a URL, because plans are shared. */
function withoutSecrets(text: string): string {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return text;
  url.username = '';
  url.password = '';
  return url.href;
}

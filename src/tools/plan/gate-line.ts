// The single gate at the end of every plan.
import { percent } from './figures.ts';
import type { Plan } from './plan.ts';

/** What must hold, and the command that checks it. */
export function gateCommand({ thresholds }: Plan): string {
  return (
    `HBM utilization P99 over the last 24 h at most ${percent(thresholds.hbmUtilization)} on every engine: ` +
    `\`${gateShell(thresholds.hbmUtilization)}\``
  );
}

/** The command alone. */
export function gateShell(max: number): string {
  return `spillway gate --prometheus http://127.0.0.1:9090 --window 24h --max ${max}`;
}

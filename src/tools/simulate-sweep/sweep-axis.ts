// The axes of a sweep: a key of the values or of the workload, with its settings.
import { InputError } from '../../core/base/index.ts';

export interface SweepAxis {
  /** Key of the values file, or `workload.KEY`. */
  readonly key: string;
  /** Written as in `--set`. */
  readonly values: readonly string[];
}

/** Maximum number of points on one axis; more means a mistake in the step. */
const pointsMax = 1000;

/**
 * @param text `KEY=a,b,c` or `KEY=from:to:step`.
 * @throws {InputError} If it is neither.
 * @example parseAxis('routerSpec.routingLogic=roundrobin,predictive').values; // two
 */
export function parseAxis(text: string): SweepAxis {
  const equals = text.indexOf('=');
  const key = text.slice(0, equals);
  const list = text.slice(equals + 1);
  if (equals < 1 || list === '') {
    throw new InputError(
      `--vary ${text} has no values; write KEY=2,4,8 or KEY=FROM:TO:STEP, such as workload.groups=10:100:10.`,
    );
  }
  const range = /^(-?[\d.]+):(-?[\d.]+):([\d.]+)$/.exec(list);
  if (range === null) return { key, values: list.split(',') };
  const [from, to, step] = range.slice(1).map(Number) as [number, number, number];
  const count = Math.floor((to - from) / step + 1e-9) + 1;
  if (!(step > 0) || !(count >= 1) || count > pointsMax) {
    throw new InputError(
      `--vary ${text}: from ${from} to ${to} by ${step} is not a range of 1 to ${pointsMax} values.`,
    );
  }
  const digits = Math.max(...range.slice(1).map((part) => part.split('.')[1]?.length ?? 0));
  const values = Array.from({ length: count }, (_, i) =>
    String(Number((from + i * step).toFixed(digits))),
  );
  return { key, values };
}

/** Returns every combination; the last axis varies fastest. */
export function combinations(axes: readonly SweepAxis[]): readonly (readonly string[])[] {
  return axes.reduce<readonly (readonly string[])[]>(
    (before, { values }) => before.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  );
}

/** Returns the flags of `spillway simulate` that set the axes to these values. */
export function axisFlags(axes: readonly SweepAxis[], values: readonly string[]): string[] {
  return axes.flatMap(({ key }, i) => {
    const value = values[i] as string;
    return key.startsWith('workload.')
      ? ['--set-workload', `${key.slice('workload.'.length)}=${value}`]
      : ['--set', `${key}=${value}`];
  });
}

// The rule of Kubernetes' HorizontalPodAutoscaler, which KEDA uses too, for an external metric with a target per pod.
//
// @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
import { type EngineBounds, type FleetReading, type Scaler, within } from './fleet-reading.ts';
import { Stabilized } from './stabilized.ts';

export interface HpaMetric {
  /** The sum over all engines. */
  readonly value: (reading: FleetReading) => number;
  /** Target per engine. */
  readonly target: number;
}

export interface HpaOptions {
  readonly bounds: EngineBounds;
  /** The one that asks for the most engines decides. */
  readonly metrics: readonly HpaMetric[];
  /** @default 300, Kubernetes' own */
  readonly downSeconds?: number;
}

/** Kubernetes' defaults. */
const tolerance = 0.1;
const scaleUpPods = 4;
const scaleUpFactor = 2;
const downSecondsDefault = 300;

export function horizontalPodAutoscaler(options: HpaOptions): Scaler {
  const { bounds, metrics, downSeconds = downSecondsDefault } = options;
  const stabilized = new Stabilized(downSeconds);
  return {
    decide(reading) {
      const current = reading.ready + reading.starting;
      const wanted = Math.max(
        ...metrics.map(({ value, target }) => {
          const total = value(reading);
          const ratio = total / (target * Math.max(1, current));
          return Math.abs(ratio - 1) <= tolerance ? current : Math.ceil(total / target);
        }),
      );
      const steady = within(stabilized.add(reading.nowSeconds, wanted), bounds);
      // It looks every 15 s, which is the period of its policies for scaling up.
      return Math.min(steady, Math.max(current + scaleUpPods, current * scaleUpFactor));
    },
  };
}

// How many engines there should be: the built-in scaler, and Kubernetes' rule to compare it with.
export type { EngineBounds, FleetReading, Scaler } from './fleet-reading.ts';
export {
  type HpaMetric,
  type HpaOptions,
  horizontalPodAutoscaler,
} from './horizontal-pod-autoscaler.ts';
export { ServiceLevelScaler, type ServiceLevelScalerOptions } from './service-level-scaler.ts';

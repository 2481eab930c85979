// The life of one request: its attempts on engines, and when it may move to another one. The router drives it
// with sockets, the simulator with events.
export {
  Admission,
  type AdmissionLaneState,
  type AdmissionLimits,
  type AdmissionPlace,
  type AdmissionRequest,
  admissionCost,
  type Rejection,
  type RejectionReason,
  rejectionReasons,
} from './admission/admission.ts';
export { type AdmissionSettings, admissionSettings } from './admission/admission-settings.ts';
export type {
  AttemptEffects,
  AttemptOutcome,
  Continuation,
  ContinuationLoss,
  EngineAttempt,
  HedgeOutcome,
  RefusalCause,
  RejectionStatus,
} from './attempt-effects.ts';
export { AttemptMachine } from './attempt-machine.ts';
export { type AttemptState, clientLeftStatus, type HeadVerdict } from './attempt-state.ts';
export {
  type DeadlineSettings,
  defaultDeadlines,
  routerTimeoutFlags,
  routerTimeouts,
  timeoutSecondsMax,
} from './deadline-settings.ts';
export { AttemptWatch, type ClientPatience, endlessPatience } from './deadlines.ts';
export type { HedgePlan } from './hedging/hedge.ts';
export { type HedgeDelays, MeasuredHedgeDelays } from './hedging/hedge-delays.ts';
export { type HedgeSettings, hedgeSettings } from './hedging/hedge-settings.ts';
export { Hedging, hedgeTickSeconds } from './hedging/hedging.ts';
export { RetryBudget } from './retry-budget.ts';
export {
  type AttemptDeadline,
  type AttemptFailureKind,
  type AttemptTimer,
  defaultRetryPolicy,
  type EngineVerdict,
  type FailureRule,
  type GatewayStatus,
  type RetryPolicy,
  unrepeatable,
} from './retry-policy.ts';

// Signals that request this process to stop.
export {
  endOnHurry,
  interruptedStatus,
  type StopSignals,
  signalStatus,
  stopped,
  watchStopSignals,
} from './stop-signals.ts';

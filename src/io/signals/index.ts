// Signals that request this process to stop.
export { InterruptedError, interruptible, signalsHeard } from './interruptible.ts';
export {
  endOnHurry,
  interruptedStatus,
  type StopSignals,
  signalStatus,
  stopped,
  watchStopSignals,
} from './stop-signals.ts';

// The pipe between a parent and its child, by which each learns what happened to the other.
export {
  acknowledgeSignal,
  lifelineDescriptor,
  lifelineVariable,
  watchLifeline,
} from './lifeline.ts';

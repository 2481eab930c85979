// Child processes: start, watch, restart, stop, and never leave one behind.
export { lifelineVariable, watchLifeline } from './lifeline.ts';

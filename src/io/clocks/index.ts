// Clocks of a process that keeps running.
export { steadyUnixClock } from './steady-unix-clock.ts';

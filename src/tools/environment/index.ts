// The environment of a measurement.
export { type Environment, environmentText } from './environment.ts';
export { readEnvironment } from './read-environment.ts';

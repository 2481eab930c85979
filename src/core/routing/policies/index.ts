// The policies of the router: a row each.
export { kvaware } from './kvaware/kvaware.ts';
export { leastloaded } from './leastloaded/leastloaded.ts';
export { predictive } from './predictive/definition.ts';
export { prefixaware } from './prefixaware/prefixaware.ts';
export { roundrobin } from './roundrobin/roundrobin.ts';
export { session } from './session/session.ts';

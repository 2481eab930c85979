// The pipe between a parent and its child by which the child hears that the parent is gone.
export { lifelineDescriptor, lifelineVariable, watchLifeline } from './lifeline.ts';

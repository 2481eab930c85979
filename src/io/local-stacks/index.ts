// The stacks that `spillway up` runs on this machine, so that `spillway monitor` finds them.
export { announceStack, type LocalStack, localStacks } from './local-stacks.ts';

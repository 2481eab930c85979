// Keys that callers show.
export { secretCheck } from './secret-check.ts';

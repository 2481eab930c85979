// Checks the keys of callers.
export { secretCheck } from './secret-check.ts';

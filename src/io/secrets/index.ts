// Checks the keys of callers.
export { KeyFile } from './key-file.ts';
export { secretCheck } from './secret-check.ts';
export { openSharedKey, type SharedKey } from './shared-key.ts';

// The whole stack on this machine: `spillway up`.

export { JsonOutput } from './json-output.ts';
export { LineWriter } from './line-writer.ts';
export { LiveOutput } from './live-output.ts';
export { prometheusNote } from './local-prometheus.ts';
export { type LocalStack, startLocalStack } from './local-stack.ts';
export type { UpOutput } from './output.ts';
export { overrideValues, type UpOverrides } from './override-values.ts';
export { PlainOutput } from './plain-output.ts';
export { styleOf } from './terminal-style.ts';
export { runUp, type UpOptions } from './up.ts';

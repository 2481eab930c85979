// Text as a literal of another language: one function for each, so that no text becomes code there.
export { helmText } from './helm.ts';
export { promqlMatcher } from './promql.ts';
export { shellWord } from './shell.ts';
export { unitLine, unitWord } from './systemd.ts';

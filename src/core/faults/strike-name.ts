// The ways in which an engine is struck.

/** How a struck engine fails; the names of bench/chaos.ts. */
export type StrikeName = 'killed' | 'wedged' | 'fails-fast' | 'cut' | 'refuses' | 'slowed';

export const strikeNames: readonly StrikeName[] = [
  ...(['killed', 'wedged', 'fails-fast', 'cut', 'refuses', 'slowed'] as const),
];

// The streams that a child process writes.

export type OutputStream = 'stdout' | 'stderr';

// Constants shared by both ends of an update stream; docs/reference/attempt-updates.md documents them.

/** Path below the router's URL. */
export const attemptUpdatesPath = '/router/attempts';
export const updatesContentType = 'application/x-ndjson';
/** Streams of other versions are refused. A change that an older reader would misread raises it. */
export const updatesVersion = 1;
/** Interval between keep-alive lines. */
export const aliveIntervalMs = 1_000;
/**
 * A router that is silent for this long is considered gone: two of three keep-alive lines may be
 * late.
 */
export const silenceMaxMs = 3_000;
/**
 * Maximum length of a line. The block names of the longest prompt that policies look at (2 MiB in blocks of 256
 * bytes, 8 bytes per name, in base64) take a third of it.
 */
export const lineBytesMax = 256 * 1024;

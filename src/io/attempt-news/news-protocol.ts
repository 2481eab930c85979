// What both ends of a news stream agree on. docs/reference/attempt-news.md says it in words.

/** Below the router's URL. */
export const attemptNewsPath = '/router/attempts';
export const newsContentType = 'application/x-ndjson';
/** Routers of another version are not heard; a change that an older reader would misread raises it. */
export const newsVersion = 1;
/** How often a router says that it is there. */
export const aliveIntervalMs = 1_000;
/** A router that says nothing for so long is taken to be gone: two lines of three may be late. */
export const silenceMaxMs = 3_000;
/**
 * Longest line. The block names of the longest prompt that policies look at (2 MiB in blocks of 256
 * bytes, 8 bytes per name, in base64) take a third of it.
 */
export const lineBytesMax = 256 * 1024;

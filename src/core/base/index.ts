// Clock, random, errors and bounded collections: what every other room stands on.
export { ByteWriter } from './byte-writer.ts';
export { type Clock, ManualClock } from './clock.ts';
export { InputError, SpillwayError } from './errors.ts';
export { Histogram } from './histogram.ts';
export { LruMap } from './lru-map.ts';
export { MinHeap } from './min-heap.ts';
export { nearest, nearestSpelling } from './nearest.ts';
export { type Random, randomExponential, randomInteger, seededRandom } from './random.ts';
export { RingBuffer } from './ring-buffer.ts';
export { version } from './version.ts';

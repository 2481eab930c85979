// Shared by every other room: clock, random, errors, histograms and bounded collections.
export { ByteWriter } from './byte-writer.ts';
export { type Clock, ManualClock } from './clock.ts';
export { commaList } from './comma-list.ts';
export { counted } from './counted.ts';
export {
  basicAuthorization,
  type EngineAddress,
  engineAddress,
  fetchable,
  withoutCredentials,
  withoutLogins,
} from './engine-address.ts';
export { InputError, NoResponseError, SpillwayError } from './errors.ts';
export { type Exemplar, Histogram } from './histogram.ts';
export { latin1Text } from './latin1.ts';
export { type Linked, LinkedList } from './linked-list.ts';
export { type LogBuckets, LogHistogram } from './log-histogram.ts';
export { LruMap } from './lru-map.ts';
export { MinHeap } from './min-heap.ts';
export { nearest, nearestSpelling } from './nearest.ts';
export { plainLine, plainText } from './plain-text.ts';
export {
  type Random,
  randomExponential,
  randomInteger,
  seededRandom,
  shuffled,
} from './random.ts';
export { RingBuffer } from './ring-buffer.ts';
export { SlidingHistogram } from './sliding-histogram.ts';
export { numberInCell, selectColumns, type TextRow, type TextTable } from './text-table.ts';
export { version } from './version.ts';
export { withoutUndefined } from './without-undefined.ts';

// A clock that all processes of a machine share, so that several clients can start at the same time.
import type { Clock } from '../../../core/base/index.ts';

/** Seconds since the machine started, where performance.now() began. */
const offsetSeconds = Number(process.hrtime.bigint()) / 1e9 - performance.now() / 1000;

export const machineClock: Clock = {
  nowSeconds: () => offsetSeconds + performance.now() / 1000,
};

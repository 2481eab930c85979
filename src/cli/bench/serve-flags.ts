// The load of a benchmark as flags, by the names of `vllm bench serve`: what is sent, when, and how it is measured.
import type { Command } from 'commander';
import { type ArrivalFlags, addArrivalFlags } from './arrival-flags.ts';
import { addDatasetFlags, type DatasetFlags } from './dataset-flags.ts';
import { addMeasurementFlags, type MeasurementFlags } from './measurement-flags.ts';
import { addRequestFlags, type RequestFlags } from './request-flags.ts';

/** The load of a benchmark, as the flags give it. */
export interface LoadFlags extends RequestFlags, DatasetFlags, ArrivalFlags, MeasurementFlags {}

/** Adds the flags that say what is sent, when, and how it is measured. */
export function addLoadFlags(command: Command): Command {
  return addMeasurementFlags(addArrivalFlags(addDatasetFlags(addRequestFlags(command))));
}

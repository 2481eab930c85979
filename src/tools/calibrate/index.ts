// Fits the free constants of an engine to measurements of it.
export {
  type CalibrateOptions,
  type Calibration,
  calibrate,
  calibrationText,
  worseText,
} from './calibrate.ts';

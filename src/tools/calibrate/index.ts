// The free constants of an engine, fitted to measurements of it.
export {
  type CalibrateOptions,
  type Calibration,
  calibrate,
  calibrationText,
} from './calibrate.ts';

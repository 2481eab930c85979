// Latency of engines at a fixed number of clients, against measured points and beyond them.
export { intervalsOf, kindOf, pointIntervals, pointJson } from './point-answer.ts';
export { gpuOf, precisionOf, rowsPerExpert, serverFlags, shapeOf } from './point-engine.ts';
export { type PointPrediction, predictPoint } from './points.ts';
export { type PointRow, readAllPoints, readPoints } from './points-csv.ts';

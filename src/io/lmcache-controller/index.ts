// The ZMQ sockets of LMCache's controller, to which LMCache in engines reports what it has.
export { type Controller, type ControllerOptions, openController } from './controller.ts';
export { declareController } from './metrics.ts';
export { type Order, OrderError } from './orders.ts';

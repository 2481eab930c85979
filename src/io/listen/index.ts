// Listens on a port, and explains why a program cannot listen on its address.
export { endpointError, portError } from './listen-error.ts';
export { listenOn } from './listen-on.ts';
export { isLoopback, openNote } from './loopback.ts';

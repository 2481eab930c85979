// Explains why a program cannot listen on its address.
export { endpointError, portError } from './listen-error.ts';

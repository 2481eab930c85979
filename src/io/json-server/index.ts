// Small HTTP servers that take and return JSON.
export { type Answer, createJsonServer } from './json-server.ts';

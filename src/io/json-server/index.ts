// Small HTTP servers that take and return JSON.
export { listOf, tokenIds } from './bounded-lists.ts';
export { type Answer, createJsonServer } from './json-server.ts';

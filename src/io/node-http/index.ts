// Loads node:http without an import statement, which would read every export once, also the lazy
// WebSocket and MessageEvent, which load all of undici. That was a third of an engine's start: 70
// ms of CPU time and 8 MB (Node 24.21.0).
const http = process.getBuiltinModule('node:http');

export const { STATUS_CODES, createServer, request } = http;

/** Loads node:https, which most programs never need. */
export const https = () => process.getBuiltinModule('node:https');

// A recorded page of vLLM's metrics, served as vLLM does: whole at /metrics, and by name below it.
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { restrictedPage } from '../../src/core/metrics/index.ts';

/** @returns A route that returns whether it has responded to a URL. */
export function metricsRoute(file: string): (url: string, response: ServerResponse) => boolean {
  const page = readFileSync(file);
  /** By URL: all routers here ask for the same names. */
  const restricted = new Map<string, string>();
  return (url, response) => {
    if (url === '/metrics') {
      response.setHeader('Content-Type', 'text/plain; version=1.0.0; charset=utf-8').end(page);
      return true;
    }
    if (!url.startsWith('/metrics/?')) return false;
    const names = new URL(url, 'http://engine').searchParams.getAll('name[]');
    const text = restricted.get(url) ?? restrictedPage(`${page}`, new Set(names));
    if (restricted.size < 16) restricted.set(url, text);
    response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    // Chunked, its head in a write of its own, as from uvicorn.
    response.flushHeaders();
    response.end(text);
    return true;
  };
}

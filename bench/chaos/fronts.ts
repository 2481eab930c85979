// What stands in front of the engines in bench/chaos.ts: our routers, those of another clone, or a peer.
import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryProbeArgs, start } from './processes.ts';

export interface Front {
  readonly urls: readonly string[];
  readonly processes: readonly ChildProcess[];
}

export interface FrontOptions {
  readonly engines: readonly string[];
  readonly port: number;
  readonly routers: number;
  /** A clone whose router is used. */
  readonly clone: string;
  /** Folder for the warnings of our routers; undefined for none. */
  readonly routerLogs?: string | undefined;
  /** For files of this run. */
  readonly folder: string;
  /** Folder of the peers' programs. */
  readonly peerPrograms: string;
}

type Starter = (options: FrontOptions) => Promise<Front>;

export const fronts: Readonly<Record<string, Starter>> = {
  spillway: async ({ engines, port, routers, clone, routerLogs }) => {
    if (routerLogs !== undefined) mkdirSync(routerLogs, { recursive: true });
    const urls = Array.from({ length: routers }, (_, i) => `http://127.0.0.1:${port + i}`);
    const processes = await Promise.all(
      urls.map((url, i) => {
        const args = [...memoryProbeArgs, join(clone, 'bin/spillway.mjs'), 'router'];
        args.push('--port', `${port + i}`);
        args.push('--static-backends', engines.join(','));
        args.push('--log-level', routerLogs === undefined ? 'error' : 'warning');
        if (routers > 1) args.push('--router-peers', urls.join(','));
        const logFile = routerLogs && join(routerLogs, `router-${port + i}.log`);
        return start(process.execPath, args, `${url}/health`, { hasProbe: true, logFile });
      }),
    );
    return { urls, processes };
  },
  nginx: async ({ engines, port, folder }) => {
    const file = join(folder, 'nginx.conf');
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, nginxConfig(engines, port, folder));
    const child = await start(
      'nginx',
      ['-p', folder, '-c', file],
      `http://127.0.0.1:${port}/health`,
    );
    return { urls: [`http://127.0.0.1:${port}`], processes: [child] };
  },
  'vllm-router': async ({ engines, port, peerPrograms }) => {
    const args = ['--host', '127.0.0.1', '--port', `${port}`, '--policy', 'round_robin'];
    args.push('--prometheus-port', `${port + 1}`, '--log-level', 'error');
    args.push('--worker-urls', ...engines);
    const program = join(peerPrograms, 'vllm-router');
    const child = await start(program, args, `http://127.0.0.1:${port}/health`);
    return { urls: [`http://127.0.0.1:${port}`], processes: [child] };
  },
  'sglang-router': async ({ engines, port, peerPrograms }) => {
    const args = ['launch', '--host', '127.0.0.1', '--port', `${port}`, '--policy', 'round_robin'];
    args.push('--prometheus-port', `${port + 1}`, '--log-level', 'error');
    args.push('--worker-urls', ...engines);
    const program = join(peerPrograms, 'sglang-router');
    const child = await start(program, args, `http://127.0.0.1:${port}/health`);
    return { urls: [`http://127.0.0.1:${port}`], processes: [child] };
  },
};

/** nginx with what it has against failures: passive checks, and retries before the first byte. */
function nginxConfig(engines: readonly string[], port: number, folder: string): string {
  const servers = engines.map((url) => `server ${new URL(url).host} max_fails=3 fail_timeout=5s;`);
  return `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream engines { least_conn; ${servers.join(' ')} keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://engines; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_connect_timeout 5s; proxy_read_timeout 60s;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504 http_429 non_idempotent;
      proxy_next_upstream_tries 3;
    }
  }
}
`;
}

/** The version of a front, for the page of results. */
export function versionOf(front: string, { clone, peerPrograms }: FrontOptions): string {
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  if (front === 'spillway') return run('git', '-C', clone, 'log', '-1', '--format=%h');
  if (front === 'nginx')
    return run('sh', '-c', 'nginx -v 2>&1').replace('nginx version: nginx/', '');
  const listed = run(join(peerPrograms, 'pip'), 'show', front);
  return /^Version: (.*)$/m.exec(listed)?.[1] ?? '?';
}

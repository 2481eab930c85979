// The compared routers, each as a command line that listens on `port`.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ComparedRouter {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** @param workDirectory Folder for configuration files. */
export function proxiesFor(options: {
  readonly port: number;
  readonly upstreams: readonly string[];
  readonly workDirectory: string;
  /** Folder with `vllm-router` and `sglang-router`, or undefined to skip them. */
  readonly peersBin: string | undefined;
  /** Folder below `workDirectory` with the bundle of another version of Spillway, if one is compared. */
  readonly before?: string | undefined;
}): ComparedRouter[] {
  const { port, upstreams, workDirectory, peersBin, before } = options;
  const peers = ['vllm-router', 'sglang-router']
    .map((name) => ({ name, path: join(peersBin ?? '', name) }))
    .filter(({ path }) => peersBin !== undefined && existsSync(path))
    .map(({ name, path }) => ({
      name: `${name} round_robin`,
      command: [
        path,
        ...(name === 'sglang-router' ? ['launch'] : []),
        ...['--host', '127.0.0.1', '--port', String(port), '--policy', 'round_robin'],
        ...['--log-level', 'error', '--worker-urls', ...upstreams],
      ],
    }));
  const spillway = (policy: string, bundle = 'dist'): ComparedRouter => ({
    name: `spillway ${policy}${bundle === 'dist' ? '' : ' (before)'}`,
    command: [
      process.execPath,
      // The bundle that a package runs; a clone also loads Node's type stripper, about 40 MB.
      join(workDirectory, bundle, 'main.js'),
      ...['router', '--port', String(port), '--static-backends', upstreams.join(',')],
      ...['--routing-logic', policy, '--log-level', 'warning'],
    ],
  });
  return [
    {
      name: 'nginx 1 worker',
      command: ['nginx', '-c', nginxConfiguration(options), '-p', workDirectory],
    },
    ...peers,
    spillway('predictive'),
    ...(before === undefined ? [] : [spillway('predictive', before)]),
    spillway('roundrobin'),
    ...(before === undefined ? [] : [spillway('roundrobin', before)]),
  ];
}

function nginxConfiguration(options: {
  readonly port: number;
  readonly upstreams: readonly string[];
  readonly workDirectory: string;
}): string {
  const path = join(options.workDirectory, 'nginx.conf');
  mkdirSync(options.workDirectory, { recursive: true });
  const servers = options.upstreams.map((url) => `    server ${url.slice('http://'.length)};`);
  writeFileSync(
    path,
    `daemon off;
master_process off;
worker_rlimit_nofile 65536;
pid ${options.workDirectory}/nginx.pid;
error_log ${options.workDirectory}/nginx.err;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${options.workDirectory}/body;
  proxy_temp_path ${options.workDirectory}/proxy;
  fastcgi_temp_path ${options.workDirectory}/fastcgi;
  uwsgi_temp_path ${options.workDirectory}/uwsgi;
  scgi_temp_path ${options.workDirectory}/scgi;
  client_body_buffer_size 1m;
  client_max_body_size 0;
  keepalive_requests 1000000000;
  upstream engines {
${servers.join('\n')}
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location / {
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`,
  );
  return path;
}

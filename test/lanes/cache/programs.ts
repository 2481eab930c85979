// Programs of this lane: `spillway cache` as a user starts it, Redis, and their clients.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from '../../../src/io/processes/index.ts';
import { until } from '../../support/until.ts';

const host = '127.0.0.1';
/** Time for one client; importing torch takes most of it on a busy machine. */
const clientTimeoutMs = 240_000;

const bin = process.env['REDIS_BIN'] ?? '';
/** Why there is no Redis; false if there is. */
export const redisMissing = existsSync(join(bin, 'redis-server'))
  ? false
  : 'no redis-server on PATH or in Debian’s packages';

/** Where a release of LMCache 0.3 is: that of the image that plans pin, or that of upstream's router. */
export function lmcache03(release: string): string {
  return join(process.env['LMCACHE_0_3'] ?? '', `lmcache-${release}`);
}

/** Why it is not there; false if it is. */
export function lmcache03Missing(release: string): string | false {
  return existsSync(join(lmcache03(release), 'lmcache'))
    ? false
    : `LMCache ${release} could not be installed from PyPI`;
}

export interface CachePorts {
  readonly lm: number;
  readonly resp: number;
  readonly pid: number | undefined;
  /** Its first port and the URL of its API; undefined without a controller. */
  readonly controller?: { readonly port: number; readonly http: string } | undefined;
}

/** Starts a cache server that ends with the test. */
export async function startCache(
  t: TestContext,
  flags: readonly string[] = [],
): Promise<CachePorts & { stop(): Promise<void> }> {
  const args = ['bin/spillway.mjs', 'cache', '--port', '0', '--resp-port', '0', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => ended(child));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [lm = 0, resp = 0] = [...line.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
  const [, controllerPort, http] =
    /controller=tcp:\/\/[^ ]+:(\d+) .*controller-http=(\S+)/.exec(line) ?? [];
  const controller = http === undefined ? undefined : { port: Number(controllerPort), http };
  return { lm, resp, pid: child.pid, controller, stop: () => ended(child) };
}

/** Starts Redis without persistence. @returns Its port. */
export async function startRedis(t: TestContext): Promise<number> {
  const [port = 0] = await freePorts(1);
  const args = ['--port', `${port}`, '--bind', host, '--save', '', '--daemonize', 'no'];
  const child = spawn(join(bin, 'redis-server'), args, { stdio: 'ignore' });
  t.after(() => ended(child));
  await listening(port);
  return port;
}

async function listening(port: number): Promise<void> {
  await until(async () => {
    const socket = connect(port, host);
    const isListening = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    return isListening;
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

const s3Bin = process.env['S3_BIN'] ?? '';
/** Why there is no S3 server; false if there is. */
export const s3Missing = existsSync(s3Bin) ? false : 'gofakes3 could not be built: it needs Go';

/** Starts an S3 server with the bucket `lane-kv` in memory. @returns Its URL. */
export async function startS3(t: TestContext): Promise<string> {
  const [port = 0] = await freePorts(1);
  const args = ['-backend', 'memory', '-initialbucket', 'lane-kv', '-host', `${host}:${port}`];
  const child = spawn(s3Bin, args, { stdio: 'ignore' });
  t.after(() => ended(child));
  await listening(port);
  return `http://${host}:${port}`;
}

/** Runs a program of Redis. @returns What it printed. */
export async function runRedisTool(name: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(join(bin, name), args, { timeout: clientTimeoutMs });
  return stdout;
}

/** Runs a Python program with the clients of this lane. @throws With its output if it fails. */
export async function runPython(program: string): Promise<void> {
  await promisify(execFile)(lanePython(), ['-B', '-c', program], { timeout: clientTimeoutMs });
}

/** Runs statements with ioredis as `Redis`. @throws With its output if they fail. */
export async function runIoredis(statements: string): Promise<void> {
  const entry = process.env['IOREDIS'];
  assert.ok(entry, 'IOREDIS names the folder with ioredis; run scripts/lane.sh cache');
  const program = `import { createRequire } from 'node:module';
const Redis = createRequire(${JSON.stringify(`${entry}/`)})('ioredis');
${statements}`;
  const args = ['--input-type=module', '--eval', program];
  await promisify(execFile)(process.execPath, args, { timeout: clientTimeoutMs });
}

function lanePython(): string {
  const python = process.env['CACHE_PYTHON'];
  assert.ok(python, 'CACHE_PYTHON names the Python with the clients; run scripts/lane.sh cache');
  return python;
}

/**
 * Runs a file of Python tests against a server.
 *
 * @param options.only One class of them.
 * @param options.min Tests that there are at least.
 * @throws With its output if one fails.
 */
export async function runPythonTests(
  file: string,
  { lm, resp, pid, controller }: CachePorts,
  {
    only,
    min,
    path,
    release,
  }: {
    readonly only?: string;
    readonly min: number;
    readonly path?: string;
    /** Release of LMCache that must be at the path. */
    readonly release?: string;
  },
): Promise<void> {
  const run = promisify(execFile)(
    lanePython(),
    ['-B', '-W', 'ignore', file, ...(only === undefined ? [] : [only])],
    {
      cwd: import.meta.dirname,
      timeout: clientTimeoutMs,
      maxBuffer: 64 << 20,
      env: {
        ...process.env,
        ...{ CACHE_HOST: host, CACHE_LM_PORT: `${lm}`, CACHE_RESP_PORT: `${resp}` },
        CACHE_PID: `${pid}`,
        ...(controller && {
          ...{ CONTROLLER_PORT: `${controller.port}`, CONTROLLER_HTTP: controller.http },
        }),
        ...(path !== undefined && { PYTHONPATH: path }),
        ...(release !== undefined && { LMCACHE_RELEASE: release }),
        ...{ LMCACHE_LOG_LEVEL: 'ERROR', LMCACHE_TRACK_USAGE: 'false' },
      },
    },
  );
  const { stderr } = await run.catch((error: { stderr: string }) => {
    throw new Error(`${file} failed:\n${error.stderr.slice(-20_000)}`);
  });
  const [, count] = stderr.match(/Ran (\d+) tests?/) ?? [];
  assert.ok(Number(count) >= min, stderr);
}

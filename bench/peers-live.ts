// Runs three routers before four embedded engines on real traffic, alternating between sharing
// their attempts or not: the benefit of sharing outside the simulator. Client connections go to the
// routers in turn.
//
//   node bench/peers-live.ts [--repeats 2] [--requests 500] [--speed 2.4] [--time-scale 1] [--gpu B200]
//                            [--port 9400]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseRouterView } from '../src/core/views/index.ts';

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '2' },
    requests: { type: 'string', default: '500' },
    speed: { type: 'string', default: '2.4' },
    'time-scale': { type: 'string', default: '1' },
    gpu: { type: 'string', default: 'B200' },
    port: { type: 'string', default: '9400' },
  },
});
const port = Number(flags.port);
const routerPorts = [port + 1, port + 2, port + 3];
const routerUrls = routerPorts.map((at) => `http://127.0.0.1:${at}`);
/** Longest requests of the trace are 126,195 + 1,500 tokens. */
const contextTokens = 131_072;
const program = 'bin/spillway.mjs';

/** The part of `bench replay --json` that is used. */
interface ReplayJson {
  readonly completed: number;
  readonly failed: number;
  readonly mean_ttft_ms: number;
  readonly p50_ttft_ms: number;
  readonly p90_ttft_ms: number;
  /** Null if there are too few requests. */
  readonly p99_ttft_ms: number | null;
  readonly spillway: {
    readonly client_lag_ms: { readonly p99: number };
    readonly engines_behind: { readonly answers: number; readonly max_wall_ms: number };
  };
}

const balancer = startBalancer();
const folder = mkdtempSync(join(tmpdir(), 'spillway-peers-live-'));
try {
  console.log(
    '| run | attempts | completed | TTFT mean, ms | p50 | p90 | p99 | client lag p99, ms | late engine responses / maximum delay, wall ms | load |',
  );
  console.log('|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|');
  for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
    // Alternating, so that neither always runs when the machine is busiest.
    for (const shared of repeat % 2 ? [true, false] : [false, true]) await measure(repeat, shared);
  }
} finally {
  balancer.close();
  rmSync(folder, { recursive: true });
}

async function measure(repeat: number, shared: boolean): Promise<void> {
  const stack = await startStack(shared);
  const others = await startOthers(shared);
  try {
    const json = await replay(join(folder, 'result.json'));
    const { client_lag_ms: lag, engines_behind: behind } = json.spillway;
    const ttft = [json.mean_ttft_ms, json.p50_ttft_ms, json.p90_ttft_ms, json.p99_ttft_ms];
    const cells = [
      ...[repeat + 1, shared ? 'shared' : 'not shared', json.completed],
      ...ttft.map((ms) => ms?.toFixed(0) ?? '–'),
      lag.p99.toFixed(0),
      `${behind.answers} / ${behind.max_wall_ms.toFixed(0)}`,
      (loadavg()[0] ?? 0).toFixed(1),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  } finally {
    for (const router of others) router.kill('SIGKILL');
    stack.kill('SIGINT');
    await once(stack, 'exit');
  }
}

/** Starts the engines and the first router. */
async function startStack(shared: boolean): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      ...[program, 'up', '--json', '--no-dashboard', '--port', `${routerPorts[0]}`],
      ...['--engines', '4', '--gpu', flags.gpu, '--policy', 'predictive'],
      ...['--time-scale', flags['time-scale']],
      ...['--set', `servingEngineSpec.modelSpec[0].vllmConfig.maxModelLen=${contextTokens}`],
      ...(shared ? routerUrls : []).flatMap((url, i) => [
        ...['--set', `routerSpec.routerPeers[${i}]=${url}`],
      ]),
    ],
    // The trace has prompts of 126,195 tokens, three times the context that the model was trained
    // for.
    {
      env: { ...process.env, VLLM_ALLOW_LONG_MAX_MODEL_LEN: '1' },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"event":"ready"')) resolve();
    });
    child.once('exit', () => reject(new Error('up ended early')));
  });
  await ready;
  return child;
}

/** Starts the other routers, with the engines of the first one. */
async function startOthers(shared: boolean): Promise<ChildProcess[]> {
  const engines = (await (await fetch(`${routerUrls[0]}/engines`)).json()) as { url: string }[];
  const routers = routerPorts.slice(1).map((at) =>
    spawn(
      process.execPath,
      [
        ...[program, 'router', '--port', `${at}`, '--no-dashboard', '--log-level', 'error'],
        ...['--static-backends', engines.map(({ url }) => url).join(',')],
        // As `up` sets it for its own router.
        ...['--engine-stats-interval', '1'],
        ...(shared ? ['--router-peers', routerUrls.join(',')] : []),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    ),
  );
  for (const url of routerUrls) {
    for (let attempt = 0; !(await isReady(url, shared)); attempt++) {
      if (attempt === 100) throw new Error(`${url} is not ready after 20 s`);
      await sleep(200);
    }
  }
  return routers;
}

async function isReady(url: string, shared: boolean): Promise<boolean> {
  const answer = await fetch(`${url}/debug/router`).catch(() => undefined);
  if (answer === undefined) return false;
  const view = parseRouterView(await answer.text());
  const connected = view.routers?.peers.filter(({ state }) => state === 'connected').length ?? 0;
  return view.engines.every(({ state }) => state === 'live') && connected === (shared ? 2 : 0);
}

async function replay(result: string): Promise<ReplayJson> {
  const child = spawn(
    process.execPath,
    [
      ...[program, 'bench', 'replay', '--json', result, '--warmup', '8'],
      ...['--trace', 'bench/data/mooncake-conversation.jsonl.gz'],
      ...['--url', `http://127.0.0.1:${port}/v1`, '--requests', flags.requests],
      ...['--speed', flags.speed, '--time-scale', flags['time-scale']],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`bench replay ended with status ${status}`);
  return JSON.parse(readFileSync(result, 'utf8')) as ReplayJson;
}

/** Forwards each connection to the next router. */
function startBalancer() {
  let next = 0;
  return createServer((near) => {
    const far = connect(routerPorts[next++ % routerPorts.length] as number, '127.0.0.1');
    for (const socket of [near, far]) socket.setNoDelay(true).on('error', () => {});
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  }).listen(port, '127.0.0.1');
}

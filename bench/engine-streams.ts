// How much of one core the embedded engine needs for many streams, and whether it keeps its clock.
//
//   node bench/engine-streams.ts [--streams 200] [--rate 50] [--seconds 20]
//
// Engine and client are processes of their own, pinned to CPU 0 and CPU 1 with taskset. Every step
// takes 1 / rate seconds, so each stream should get `rate` tokens a second. Prints one JSON line.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createEngineServer } from '../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../src/core/engine/index.ts';
import { loadTokenizer } from '../src/io/models/index.ts';

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '200' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '20' },
    serve: { type: 'boolean', default: false },
    load: { type: 'string' },
  },
});
const streams = Number(values.streams);
const rate = Number(values.rate);
const seconds = Number(values.seconds);
/** Streams start together and are left alone this long. */
const warmUpSeconds = 3;
const ticksPerSecond = 100; // _SC_CLK_TCK on Linux

if (values.serve) await serve();
else if (values.load) await load(values.load);
else await measure();

/** The engine's process. */
async function serve(): Promise<void> {
  const server = await createEngineServer({
    port: 0,
    model: 'bench',
    tokenizer: await loadTokenizer(),
    config: defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 200_000, maxNumSeqs: streams }),
    cost: { stepSeconds: () => 1 / rate },
  });
  console.log(server.url);
}

/** The client's process: opens the streams, counts events, reports per second. */
async function load(url: string): Promise<void> {
  const tokensWanted = Math.ceil((warmUpSeconds + seconds + 10) * rate);
  let events = 0;
  for (let i = 0; i < streams; i++) {
    const body = JSON.stringify({
      messages: [{ role: 'user', content: `Tell story number ${i}.` }],
      max_tokens: tokensWanted,
      ignore_eos: true,
      stream: true,
    });
    const call = request(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    });
    call.on('response', (response) => {
      response.on('data', (bytes: Buffer) => {
        for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2))
          events++;
      });
    });
    call.end(body);
  }
  for (;;) {
    await sleep(100);
    console.log(events);
  }
}

/** The parent: starts both, samples CPU time and lag, prints the result. */
async function measure(): Promise<void> {
  const engine = start(0, ['--serve']);
  const client = await (async () => {
    const [url] = (await once(lines(engine), 'line')) as [string];
    return { process: start(1, ['--load', url]), url };
  })();
  let events = 0;
  lines(client.process).on('line', (line) => {
    events = Number(line);
  });
  try {
    await sleep(warmUpSeconds * 1000);
    const before = { events, cpu: cpuSeconds(engine), at: performance.now() };
    const lags: number[] = [];
    while (performance.now() - before.at < seconds * 1000) {
      await sleep(500);
      lags.push(await lagSeconds(client.url));
    }
    const wall = (performance.now() - before.at) / 1000;
    const tokensPerSecond = (events - before.events) / wall;
    const result = {
      streams,
      wantedTokensPerSecond: streams * rate,
      tokensPerSecond: Math.round(tokensPerSecond),
      cpuPercent: Math.round(((cpuSeconds(engine) - before.cpu) / wall) * 100),
      cpuMicrosecondsPerToken:
        Math.round(((cpuSeconds(engine) - before.cpu) / (events - before.events)) * 1e7) / 10,
      lagMsMean: ms(lags.reduce((sum, lag) => sum + lag, 0) / lags.length),
      lagMsMax: ms(Math.max(...lags)),
      rssMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status(engine))?.[1]) / 1024),
      node: process.version,
      cpu: cpus()[0]?.model,
      command: `node bench/engine-streams.ts --streams ${streams} --rate ${rate} --seconds ${seconds}`,
    };
    console.log(JSON.stringify(result));
  } finally {
    client.process.kill('SIGKILL');
    engine.kill('SIGKILL');
  }
}

function start(cpu: number, args: readonly string[]): ChildProcess {
  const own = [import.meta.filename, '--streams', `${streams}`, '--rate', `${rate}`];
  return spawn(
    'taskset',
    ['-c', `${cpu}`, process.execPath, ...own, '--seconds', `${seconds}`, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
}

function lines(child: ChildProcess) {
  return createInterface({ input: child.stdout as NodeJS.ReadableStream });
}

async function lagSeconds(url: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(/^spillway:engine_lag_seconds (\S+)/m.exec(page)?.[1]);
}

/** User and system time of a process (taskset has become it by exec). */
function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function status(child: ChildProcess): string {
  return readFileSync(`/proc/${child.pid}/status`, 'utf8');
}

function ms(lag: number): number {
  return Math.round(lag * 10_000) / 10;
}

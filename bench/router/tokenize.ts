// Measures the cost of KV events for the router's process: with them, it tokenizes each prompt before the
// pick. One router and two embedded engines whose GPUs take no time.
//
//   node bench/router/tokenize.ts [--requests 400] [--repeats 3] [--kilobytes 2,16,64] [--port 9200]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { percentile } from '../../src/core/stats/index.ts';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '400' },
    repeats: { type: 'string', default: '3' },
    kilobytes: { type: 'string', default: '2,16,64' },
    port: { type: 'string', default: '9200' },
  },
});
const requests = Number(flags.requests);
const port = Number(flags.port);
const enginePorts = [port + 1, port + 2];
const cli = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const clockTicksPerSecond = 100;
const clients = 4;
const sizes = flags.kilobytes.split(',').map(Number);
const model = 'Qwen/Qwen3-8B';

interface Sample {
  readonly events: boolean;
  readonly kilobytes: number;
  readonly routerMicros: number;
  readonly enginesMicros: number;
  readonly medianMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: clients });
const samples: Sample[] = [];
for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
  // Alternating, so that neither always runs when the machine is busiest.
  for (const events of repeat % 2 ? [true, false] : [false, true]) await measure(events, repeat);
}
print();

async function measure(events: boolean, repeat: number): Promise<void> {
  const engines = enginePorts.map((enginePort) => start(engineArguments(enginePort)));
  await Promise.all(enginePorts.map(untilHealthy));
  const router = start(routerArguments(events));
  try {
    await untilHealthy(port);
    // The router loads the tokenizer.
    if (events) await new Promise((resolve) => setTimeout(resolve, 8_000));
    for (const kilobytes of sizes) {
      await play(kilobytes, 40, `warm ${repeat}`);
      const before = [cpuMicros([router]), cpuMicros(engines)] as const;
      const latencies = await play(kilobytes, requests, `repeat ${repeat}`);
      samples.push({
        ...{ events, kilobytes },
        routerMicros: (cpuMicros([router]) - before[0]) / requests,
        enginesMicros: (cpuMicros(engines) - before[1]) / requests,
        medianMs: percentile(latencies.toSorted(), 50),
      });
    }
  } finally {
    for (const child of [router, ...engines]) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

function engineArguments(enginePort: number): string[] {
  const events = {
    enable_kv_cache_events: true,
    publisher: 'zmq',
    endpoint: endpointOf(enginePort),
  };
  const where = ['--port', `${enginePort}`, '--kv-events-config', JSON.stringify(events)];
  return ['engine', model, ...where, '--time-scale', 'inf'];
}

function routerArguments(events: boolean): string[] {
  const urls = enginePorts.map((enginePort) => `http://127.0.0.1:${enginePort}`);
  const sources = enginePorts.flatMap((enginePort, i) => [
    ...['--kv-event-source', `${urls[i]}=${endpointOf(enginePort)}`],
  ]);
  const base = ['router', '--port', `${port}`, '--static-backends', urls.join(',')];
  return [...base, ...(events ? sources : ['--no-kv-events']), '--log-level', 'error'];
}

function endpointOf(enginePort: number): string {
  return `tcp://127.0.0.1:${enginePort + 10}`;
}

function start(args: string[]): ChildProcess {
  return spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Sends prompts of this many bytes without common prefixes, several at once. */
async function play(kilobytes: number, count: number, name: string): Promise<number[]> {
  const latencies: number[] = [];
  let next = 0;
  const client = async () => {
    while (next < count) {
      const index = next++;
      const text = `${name}, question ${index}: where does the water of this river go? `;
      const prompt = text.repeat(Math.ceil((kilobytes * 1024) / text.length));
      const startMs = performance.now();
      const body = JSON.stringify({
        model,
        prompt: prompt.slice(0, kilobytes * 1024),
        max_tokens: 1,
      });
      await send('/v1/completions', port, body);
      latencies.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return latencies;
}

async function send(path: string, to: number, body?: string): Promise<void> {
  const outgoing = request({
    ...{ host: '127.0.0.1', port: to, path, agent, method: body === undefined ? 'GET' : 'POST' },
    headers: { 'content-type': 'application/json' },
  });
  outgoing.end(body);
  const [answer] = await once(outgoing, 'response');
  let text = '';
  for await (const part of answer) text += part;
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
}

async function untilHealthy(at: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const probe = JSON.stringify({ model, prompt: 'ready?', max_tokens: 1 });
      return await send('/v1/completions', at, probe);
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** User and system time of the processes. */
function cpuMicros(children: readonly ChildProcess[]): number {
  const ticks = children.map(({ pid }) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return (ticks.reduce((sum, x) => sum + x, 0) * 1e6) / clockTicksPerSecond;
}

function print(): void {
  const load = loadavg().map((x) => x.toFixed(1));
  console.log(`Load average ${load.join(', ')}; ${requests} requests, ${clients} at once\n`);
  console.log(
    '| prompt | KV events | router, µs of CPU | engines, µs of CPU | response, ms (median) |',
  );
  console.log('|---|---|--:|--:|--:|');
  for (const kilobytes of sizes) {
    for (const events of [false, true]) {
      const own = samples.filter((x) => x.kilobytes === kilobytes && x.events === events);
      const cells = [
        spread(own.map((x) => x.routerMicros)),
        spread(own.map((x) => x.enginesMicros)),
        spread(own.map((x) => x.medianMs)),
      ];
      console.log(`| ${kilobytes} KB | ${events ? 'yes' : 'no'} | ${cells.join(' | ')} |`);
    }
  }
}

/** Median and range. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, middle, high] = [0, 50, 100].map((p) => percentile(sorted, p));
  const digits = (x = 0) => (x < 100 ? x.toFixed(1) : x.toFixed(0));
  return `${digits(middle)} (${digits(low)}–${digits(high)})`;
}

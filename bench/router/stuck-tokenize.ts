// Measures first tokens while the /tokenize of one of four engines hangs, with engines that publish KV events: this
// router, and that of another clone (`--against`, for example one from before the router tokenized).
//
//   node bench/router/stuck-tokenize.ts [--against CLONE] [--requests 60] [--repeats 3] [--port 9400]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { percentile } from '../../src/core/stats/index.ts';

const { values: flags } = parseArgs({
  options: {
    against: { type: 'string' },
    requests: { type: 'string', default: '60' },
    repeats: { type: 'string', default: '3' },
    port: { type: 'string', default: '9400' },
  },
});
const port = Number(flags.port);
const here = join(import.meta.dirname, '../..');
const clones = [{ name: 'this router', path: here }];
if (flags.against !== undefined) clones.push({ name: 'the other clone', path: flags.against });
const enginePorts = [1, 2, 3, 4].map((i) => port + i);
const model = 'Qwen/Qwen3-8B';
/** Requests are sent at this interval, whether or not earlier ones have been answered. */
const intervalMs = 100;

const engines = enginePorts.map((own) => start(here, engineArguments(own)));
const forwarder = createServer((incoming, answer) => {
  if (incoming.url === '/tokenize' && isStuck) return;
  const { method = 'GET', headers, url = '/' } = incoming;
  const target = `http://127.0.0.1:${enginePorts[0]}${url}`;
  const forwarded = request(target, { method, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  forwarded.on('error', () => answer.destroy());
  incoming.pipe(forwarded);
});
let isStuck = false;
forwarder.listen(port + 5, '127.0.0.1');

console.log(`Load average ${loadavg().map((x) => x.toFixed(1))}\n`);
console.log('| router | /tokenize of one engine | first token, ms: median | p99 |');
console.log('|---|---|--:|--:|');
try {
  await Promise.all(enginePorts.map(untilHealthy));
  const seconds = new Map<string, number[]>();
  for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
    for (const { name, path } of clones) {
      const router = start(path, routerArguments());
      try {
        await untilHealthy(port);
        // The router subscribes to events, and may load a tokenizer.
        await new Promise((resolve) => setTimeout(resolve, 8_000));
        for (const stuck of [false, true]) {
          isStuck = stuck;
          const key = `| ${name} | ${stuck ? 'hangs' : 'responds'} |`;
          seconds.set(key, [...(seconds.get(key) ?? []), ...(await play(`${name} ${repeat}`))]);
        }
      } finally {
        await stop(router);
      }
    }
  }
  for (const [key, found] of seconds) {
    const sorted = found.toSorted((a, b) => a - b);
    const [median, p99] = [50, 99].map((p) => percentile(sorted, p).toFixed(0));
    console.log(`${key} ${median} | ${p99} |`);
  }
} finally {
  forwarder.closeAllConnections();
  forwarder.close();
  for (const engine of engines) await stop(engine);
}

function engineArguments(own: number): string[] {
  const events = {
    enable_kv_cache_events: true,
    publisher: 'zmq',
    endpoint: `tcp://127.0.0.1:${own + 10}`,
  };
  return ['engine', model, '--port', `${own}`, '--kv-events-config', JSON.stringify(events)];
}

function routerArguments(): string[] {
  const urls = [port + 5, ...enginePorts.slice(1)].map((own) => `http://127.0.0.1:${own}`);
  const sources = urls.flatMap((url, i) => [
    ...['--kv-event-source', `${url}=tcp://127.0.0.1:${(enginePorts[i] as number) + 10}`],
  ]);
  const base = ['router', '--port', `${port}`, '--static-backends', urls.join(',')];
  return [...base, ...sources, '--log-level', 'error'];
}

function start(clone: string, args: readonly string[]): ChildProcess {
  const cli = join(clone, 'src/cli/main.ts');
  return spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Sends prompts of 2 KB at a fixed rate; milliseconds to the first data of each stream. */
async function play(name: string): Promise<number[]> {
  const pending: Promise<number>[] = [];
  for (let i = 0; i < Number(flags.requests); i++) {
    const prompt = `${name} ${isStuck} ${i}: where does the water go? `.repeat(50).slice(0, 2048);
    pending.push(firstDataMs({ model, prompt, max_tokens: 4, stream: true }));
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  return Promise.all(pending);
}

async function firstDataMs(body: object, to = port): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`http://127.0.0.1:${to}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status}`);
  const reader = response.body.getReader();
  await reader.read();
  const tookMs = performance.now() - startMs;
  while (!(await reader.read()).done);
  return tookMs;
}

async function untilHealthy(at: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await firstDataMs({ model, prompt: 'ready?', max_tokens: 1 }, at);
      return;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

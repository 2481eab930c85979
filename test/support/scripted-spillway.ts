// A scripted stand-in for the programs that `spillway up` starts: `engine`, `router` and `serve` of vLLM.
// It prints how it was started, is healthy on its ports, and ends on SIGTERM. As a router it shows the
// authorization header of a request as its policy.
import { createServer } from 'node:http';
import process, { argv, env, exit, stdout } from 'node:process';
import { engineSeriesNames, fleetSeriesNames } from '../../src/core/views/index.ts';
import { watchLifeline } from '../../src/io/lifeline/index.ts';
import { routerView } from './router-views.ts';

const [program = '', ...args] = argv.slice(2);
const after = (flag: string): string | undefined =>
  args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;

/** What it prints when it starts. */
export interface ScriptedStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly key: string | null;
}

const start: ScriptedStart = { program, args, key: env['VLLM_API_KEY'] ?? null };
stdout.write(`${JSON.stringify(start)}\n`);
watchLifeline();
process.on('SIGTERM', () => exit(0));
if (env['SCRIPTED_EXIT']) exit(Number(env['SCRIPTED_EXIT']));

const first = Number(after('--port'));
// Without a server, a timer keeps the program running.
if (env['SCRIPTED_SILENT']) setInterval(() => undefined, 60_000);
else for (let i = 0; i < Number(after('--count') ?? 1); i++) listen(first + i);

function listen(port: number): void {
  const server = createServer((request, response) => {
    const view = viewAt(request.url ?? '', request.headers.authorization ?? 'no key');
    response.end(view === undefined ? '' : JSON.stringify(view));
  });
  server.listen(port, after('--host'));
}

/** Returns the debug views of a router, with one request and one pick per engine. */
function viewAt(path: string, policy: string): unknown {
  const urls = (after('--static-backends') ?? '').split(',');
  const { pathname, searchParams } = new URL(path, 'http://localhost');
  switch (pathname) {
    case '/debug/router':
      return routerView({ policy });
    case '/debug/requests':
      return urls.map((url) => ({
        ...{ atSeconds: 1, requestId: `to ${url}`, model: 'm', url, engine: url, status: 200 },
        ...{ outcome: 'completed', ttftSeconds: null, seconds: 1, outputTokens: null },
        ...{ sentSeconds: 0, attempts: 1, promptTokens: 5, cachedTokens: null },
      }));
    case '/debug/picks':
      return urls.map((url) => ({
        ...{ atSeconds: 1, requestId: `to ${url}`, model: 'm', promptTokens: 1, url, engine: url },
        ...{ reason: 'turn', cachedTokens: 0, candidates: urls, scores: null },
      }));
    case '/dashboard/history': {
      const series = (names: readonly string[]) =>
        Object.fromEntries(names.map((name) => [name, [1]]));
      const url = searchParams.get('engine') ?? '';
      const engines = [{ url, name: url, series: series(engineSeriesNames) }];
      return { intervalSeconds: 1, atSeconds: [1], fleet: series(fleetSeriesNames), engines };
    }
    default:
      return undefined;
  }
}

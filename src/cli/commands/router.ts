// `spillway router`: the router as one process, with the flags of production-stack's router.
import { Command, Option } from 'commander';
import { type StaticEngine, startRouter } from '../../apps/router/index.ts';
import { InputError } from '../../core/base/index.ts';
import { createLogger, type LogLevel, logLevels } from '../../io/log/index.ts';
import { loadWebpage } from '../../io/webpage/index.ts';

export function routerCommand(): Command {
  return new Command('router')
    .description('an OpenAI-compatible reverse proxy that sends each request to the right engine')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 for any', parsePort, 8001)
    .requiredOption('--static-backends <urls>', 'engines, comma-separated', parseList)
    .option('--static-models <models>', 'their models, aligned with the engines', parseList)
    .option('--routing-logic <policy>', 'how an engine is picked', 'predictive')
    .option('--session-key <name>', 'header or body key that names a session')
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(logLevels)
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'form of log lines')
        .choices(['text', 'json'])
        .default('text'),
    )
    .allowUnknownOption()
    .allowExcessArguments()
    .action(run);
}

interface Flags {
  readonly host: string;
  readonly port: number;
  readonly staticBackends: readonly string[];
  readonly staticModels?: readonly string[];
  readonly routingLogic: string;
  readonly sessionKey?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

async function run(flags: Flags): Promise<void> {
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const router = await startRouter({
    host: flags.host,
    port: flags.port,
    engines: staticEngines(flags.staticBackends, flags.staticModels),
    policy: flags.routingLogic,
    sessionKey: flags.sessionKey,
    engineApiKey: process.env['VLLM_API_KEY'] || undefined,
    webpage: await loadWebpage(),
    log,
  });
  process.stdout.write(`router: ${router.url}\n`);
  await router.probed;
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await router.close(30_000);
}

function staticEngines(
  urls: readonly string[],
  models: readonly string[] | undefined,
): StaticEngine[] {
  if (models !== undefined && models.length !== urls.length) {
    throw new InputError(
      `--static-models has ${models.length} entries, --static-backends ${urls.length}: ` +
        'give one model per engine, or leave --static-models out to learn them from the engines.',
    );
  }
  return urls.map((url, i) => {
    const model = models?.[i];
    return { url, models: model === undefined ? [] : [model] };
  });
}

function parseList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InputError(`--port takes 0 to 65535, not "${text}".`);
}

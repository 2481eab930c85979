// `spillway up`: the whole stack on this machine.
import { argv, env, execArgv, execPath, stderr, stdin, stdout } from 'node:process';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  JsonOutput,
  LineWriter,
  LiveOutput,
  overrideValues,
  PlainOutput,
  runUp,
  styleOf,
  type UpOutput,
  type UpOverrides,
} from '../../apps/up/index.ts';
import { InputError } from '../../core/base/index.ts';
import { policyNames } from '../../core/routing/index.ts';
import { defaultPreset, engineKind, type Values } from '../../core/values/index.ts';
import { loadCatalogue, readGpuSpec, readModelSpec } from '../../io/models/index.ts';
import { watchStopSignals } from '../../io/processes/index.ts';
import { loadValues } from '../../io/values/index.ts';
import { positive } from '../number-arguments.ts';

interface UpFlags extends Omit<UpOverrides, 'engineUrls'> {
  readonly file?: string[];
  readonly set?: string[];
  readonly setString?: string[];
  readonly preset?: string;
  readonly engine?: string[];
  readonly plain?: boolean;
  readonly json?: boolean;
  readonly logDir?: string;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Run engines and a router on this machine, until Ctrl-C.')
    .option('-f, --file <file>', 'values file; repeatable, later ones win; - is stdin', collect)
    .option('--set <key=value>', 'set one value, as with Helm; repeatable', collect)
    .option('--set-string <key=value>', 'the same, as text; repeatable', collect)
    .option('--preset <name>', `values to start from (default: ${defaultPreset} if no -f is given)`)
    .option('--engines <n>', 'number of engines', wholeNumber)
    .option(
      '--gpu <type>',
      'GPU of the embedded engines: of the catalogue, a YAML file, or an entry',
    )
    .option('--model <name>', 'model that the engines serve')
    .addOption(new Option('--policy <name>', 'how the router picks an engine').choices(policyNames))
    .option('--time-scale <x>', 'model seconds per real second', positive)
    .option('--engine <url>', 'add an engine that runs already; repeatable', collectUrl)
    .option('--host <address>', 'address where the router listens (default: 127.0.0.1)')
    .option('-p, --port <port>', 'port where the router listens (default: 8000)', portNumber)
    .option('--no-dashboard', 'do not serve the web page')
    .option('--plain', 'plain lines instead of the live view; the default without a terminal')
    .option('--json', 'one JSON object per line instead of the live view')
    .option('--log-dir <directory>', "write each child's output to a file there")
    .action(up);
}

async function up(flags: UpFlags): Promise<void> {
  const usesDefault = flags.preset === undefined && flags.file === undefined;
  const loaded = await loadValues({
    files: flags.file,
    sets: flags.set,
    setStrings: flags.setString,
    preset: usesDefault ? defaultPreset : flags.preset,
    catalogue: await loadCatalogue(),
  });
  const values = overrideValues(loaded, {
    engines: flags.engines,
    gpu: flags.gpu,
    model: flags.model,
    policy: flags.policy,
    timeScale: flags.timeScale,
    host: flags.host,
    port: flags.port,
    // Commander sets it to true when the flag is absent; then the values decide.
    dashboard: flags.dashboard === false ? false : undefined,
    engineUrls: flags.engine,
  });
  await checkFlagNames(flags, values);
  checkPolicy(values);
  const signals = watchStopSignals();
  const { output, release } = outputFor(flags, () => process.kill(process.pid, 'SIGINT'));
  try {
    await runUp({
      values,
      self: [execPath, ...execArgv, argv[1] as string],
      environment: env,
      output,
      signals,
      logDirectory: flags.logDir,
    });
  } finally {
    release();
    signals.release();
  }
}

/** What the values say was checked with its place; the flags came after. */
async function checkFlagNames({ gpu, model }: UpFlags, values: Values): Promise<void> {
  const embeds = values.servingEngineSpec.modelSpec.some(
    (entry) => entry.enabled && engineKind(entry) === 'embedded',
  );
  if (gpu !== undefined) await readGpuSpec(gpu);
  if (model !== undefined && embeds) readModelSpec(model);
}

/** The values take upstream's policies too; one that the router lacks is told before all starts. */
function checkPolicy({ routerSpec }: Values): void {
  const policy = routerSpec.routingLogic;
  if (!routerSpec.enableRouter || policyNames.includes(policy)) return;
  throw new InputError(
    `routerSpec.routingLogic ${policy} is not there yet; the router has ${policyNames.join(', ')}.`,
  );
}

function outputFor(flags: UpFlags, quit: () => void): { output: UpOutput; release: () => void } {
  // Other commands exit at once when nobody reads any more; a stack is stopped in order. A terminal
  // that is closed (EIO) sends SIGHUP itself.
  stdout.removeAllListeners('error');
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') quit();
  });
  const out = new LineWriter(stdout);
  const log = new LineWriter(stderr);
  const none = (): void => undefined;
  if (flags.json) return { output: new JsonOutput(out, log), release: none };
  if (flags.plain || !stdout.isTTY || env.TERM === 'dumb') {
    return { output: new PlainOutput(out, log), release: none };
  }
  const live = new LiveOutput(stdout, styleOf(stdout, env));
  const onResize = (): void => live.redraw();
  stdout.on('resize', onResize);
  const releaseKeys = watchKeys({ q: quit, '\u0003': quit, l: () => live.toggleLogs() });
  const release = (): void => {
    stdout.off('resize', onResize);
    releaseKeys();
  };
  return { output: live, release };
}

/** Single keys from the terminal; in raw mode Ctrl-C is a key too. */
function watchKeys(keys: Readonly<Record<string, () => void>>): () => void {
  if (!stdin.isTTY) return () => undefined;
  const onData = (data: Buffer): void => {
    for (const key of data.toString()) keys[key]?.();
  };
  stdin.setRawMode(true);
  stdin.on('error', () => undefined);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function collectUrl(value: string, before: string[] = []): string[] {
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('Give a URL such as http://10.0.0.7:8000.');
  }
  return [...before, value.replace(/\/+$/, '')];
}

function wholeNumber(value: string): number {
  if (!/^\d{1,4}$/.test(value)) throw new InvalidArgumentError('Give a whole number.');
  return Number(value);
}

function portNumber(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port < 1 || port > 65535) {
    throw new InvalidArgumentError('Give a port from 1 to 65535.');
  }
  return port;
}

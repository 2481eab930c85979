// `spillway up`: the whole stack on this machine.

import { resolve } from 'node:path';
import { argv, env, execArgv, execPath, stderr, stdin, stdout } from 'node:process';
import { Command, Option } from 'commander';
import { readPlanFile } from '../../apps/router/index.ts';
import {
  JsonOutput,
  LineWriter,
  LiveOutput,
  overrideValues,
  PlainOutput,
  prometheusNote,
  runUp,
  styleOf,
  type UpOutput,
  type UpOverrides,
} from '../../apps/up/index.ts';

import { InputError } from '../../core/base/index.ts';
import { keysInEnvironment } from '../../core/launch/index.ts';
import { policyNames } from '../../core/routing/index.ts';
import {
  checkModels,
  defaultPreset,
  engineKind,
  type ModelEntry,
  type Values,
  withStandIns,
} from '../../core/values/index.ts';
import { openInBrowser } from '../../io/browser/index.ts';
import { loadCatalogue, readEngineModel, readGpuSpec } from '../../io/models/index.ts';
import { watchStopSignals } from '../../io/signals/index.ts';
import { readValues } from '../../io/values/index.ts';
import { collect, httpUrl, subchartFlag } from '../arguments/lists.ts';
import { refuseArguments } from '../arguments/no-arguments.ts';
import { integer, port, positiveOrInfinite } from '../arguments/numbers.ts';
import { checkRouterArguments } from '../router-arguments.ts';
import { upNotes, valuesChecks } from '../values-checks.ts';

interface UpFlags extends Omit<UpOverrides, 'engineUrls'> {
  readonly file?: readonly string[];
  readonly subchart?: string;
  readonly set?: readonly string[];
  readonly standIn?: string;
  readonly setString?: readonly string[];
  readonly preset?: string;
  readonly engine?: readonly string[];
  readonly plain?: boolean;
  readonly json?: boolean;
  readonly logDir?: string;
  readonly plan?: string;
}

export function upCommand(): Command {
  return new Command('up')
    .description('Run engines and a router on this machine until Ctrl-C.')
    .optionsGroup('Values:')
    .option(
      '-f, --file <file>',
      'values file; repeatable, later files win; - for standard input',
      collect,
    )
    .option(...subchartFlag)
    .option('--set <key=value>', 'set one value, as in Helm; repeatable', collect)
    .option('--set-string <key=value>', 'the same, always as a string; repeatable', collect)
    .option('--preset <name>', `preset to start from (default: ${defaultPreset} if no -f is given)`)
    .optionsGroup('Changes to the values:')
    .option('--engines <n>', 'number of engines', integer({ min: 0, max: 9999 }))
    .option(
      '--gpu <type>',
      'GPU of the embedded engines: a catalogue name, a YAML file or a JSON entry',
    )
    .option('--model <name>', 'model that the engines serve')
    .option(
      '--stand-in <model>',
      'model or size (8B) that embedded engines emulate for each model that is not in the catalogue',
    )
    .addOption(new Option('--policy <name>', 'routing policy of the router').choices(policyNames))
    .option(
      '--time-scale <x>',
      'GPU seconds per wall-clock second of embedded engines; inf for as fast as possible',
      positiveOrInfinite,
    )
    .option('--engine <url>', 'add an engine that is already running; repeatable', collectUrl)
    .option('--host <address>', 'address where the router listens (default: 127.0.0.1)')
    .option('-p, --port <port>', 'port where the router listens (default: 8000)', port)
    .option('--no-dashboard', 'do not serve the web page')
    .option(
      '--plan <file>',
      'file of "spillway plan --json"; the page shows it beside what the router measures',
    )
    .optionsGroup('Output:')
    .option('--plain', 'plain lines instead of the live view; the default without a terminal')
    .option('--json', 'one JSON object per line instead of the live view')
    .option('--log-dir <directory>', 'folder for the output of each child process')
    .hook('preAction', refuseArguments)
    .allowExcessArguments()
    .action(up);
}

async function up(flags: UpFlags): Promise<void> {
  const usesDefault = flags.preset === undefined && flags.file === undefined;
  const read = await readValues({
    files: flags.file,
    subchart: flags.subchart,
    sets: flags.set,
    setStrings: flags.setString,
    preset: usesDefault ? defaultPreset : flags.preset,
    ...(await upChecks(flags)),
  });
  await checkRouterArguments(read, 'up');
  for (const note of upNotes(read)) stderr.write(`spillway: ${note}\n`);
  const overridden = overrideValues(read.values, {
    standIn: flags.standIn,
    engines: flags.engines,
    gpu: flags.gpu,
    model: flags.model,
    policy: flags.policy,
    timeScale: flags.timeScale,
    host: flags.host,
    port: flags.port,
    // Commander sets it to true if the flag is absent; then the values decide.
    dashboard: flags.dashboard === false ? false : undefined,
    engineUrls: flags.engine,
  });
  const values = keysInEnvironment(withStandIns(overridden, await loadCatalogue()));
  if (!values.routerSpec.enableRouter) noteRouterFlags(flags);
  await checkFlagNames(flags, values);
  // One that cannot be read is refused before anything starts.
  if (flags.plan !== undefined) await readPlanFile(flags.plan);
  const note = prometheusNote(values, env);
  if (note !== undefined) stderr.write(`spillway: ${note}\n`);
  // A terminal that is closed sends SIGHUP, which also stops the stack in order.
  const signals = watchStopSignals(['SIGINT', 'SIGTERM', 'SIGHUP']);
  const { output, release } = outputFor(flags, () => process.kill(process.pid, 'SIGINT'));
  try {
    await runUp({
      values,
      self: [execPath, ...execArgv, argv[1] as string],
      environment: env,
      output,
      signals,
      logDirectory: flags.logDir,
      planFile: flags.plan === undefined ? undefined : resolve(flags.plan),
    });
  } finally {
    release();
    signals.release();
  }
}

/** Reports the flags without effect because there is no router. */
function noteRouterFlags({ port, host, policy }: UpFlags): void {
  for (const [flag, value] of Object.entries({
    '--port': port,
    '--host': host,
    '--policy': policy,
  })) {
    if (value === undefined) continue;
    stderr.write(
      `spillway: ${flag} has no effect: there is no router, and spillway.enginePort is the port of the first engine.\n`,
    );
  }
}

/** The checks of the values. Models that --model or --stand-in replaces may be unknown. */
function upChecks({ model, standIn }: UpFlags): ReturnType<typeof valuesChecks> {
  return valuesChecks('up', { anyModel: model !== undefined || standIn !== undefined });
}

/** Checks names given by flags; those of the values were already checked with their positions. */
async function checkFlagNames(flags: UpFlags, values: Values): Promise<void> {
  const { gpu, model, standIn } = flags;
  if (standIn !== undefined) (await loadCatalogue()).findStandIn(standIn);
  const embeds = values.servingEngineSpec.modelSpec.some(
    (entry) => entry.enabled && engineKind(entry) === 'embedded',
  );
  if (gpu !== undefined) await readGpuSpec(gpu);
  if (model !== undefined && embeds) {
    readEngineModel(model, 'with --stand-in NAME', { unknown: values.spillway.standIn });
  }
  const isEmulated = (entry: ModelEntry) => engineKind(entry) === 'embedded';
  const [fault] = checkModels(values, await loadCatalogue(), isEmulated);
  if (fault !== undefined) throw new InputError(`${fault.sentence}.`);
}

function outputFor(flags: UpFlags, quit: () => void): { output: UpOutput; release: () => void } {
  // Other commands exit at once when their reader is gone; a stack is stopped in order. A terminal
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
  const releaseKeys = watchKeys((data) => {
    for (const command of live.press(data)) {
      if (command === 'quit') quit();
      else void openPage(live);
    }
  });
  const release = (): void => {
    stdout.off('resize', onResize);
    releaseKeys();
  };
  return { output: live, release };
}

/** Opens the web page in the user's browser, or says what to do instead. */
async function openPage(live: LiveOutput): Promise<void> {
  const { pageUrl } = live;
  if (pageUrl === undefined) {
    live.note('There is no page to open: the stack does not serve one, or has not started yet.');
    return;
  }
  const problem = await openInBrowser(pageUrl, { environment: env });
  live.note(
    problem === undefined
      ? `opened ${pageUrl}`
      : `no browser could be started (${problem}): open ${pageUrl} yourself, or set BROWSER.`,
  );
}

/** Passes on the keys of the terminal; in raw mode, Ctrl-C is a key as well. */
function watchKeys(press: (data: string) => void): () => void {
  if (!stdin.isTTY) return () => undefined;
  const onData = (data: Buffer): void => press(data.toString());
  stdin.setRawMode(true);
  stdin.on('error', () => undefined);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

function collectUrl(text: string, before: readonly string[] = []): readonly string[] {
  httpUrl(text);
  return collect(text.replace(/\/+$/, ''), before);
}

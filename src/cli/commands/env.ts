// `spillway env`: what this machine is, for results and bug reports.
import { Command } from 'commander';
import { environmentText, readEnvironment } from '../../tools/environment/index.ts';
import { httpUrl } from '../arguments/lists.ts';
import { addHelpEnd } from '../help.ts';

interface Flags {
  readonly url: readonly URL[];
  readonly json?: boolean;
}

export function envCommand(): Command {
  const command = new Command('env')
    .description(
      'Describe this machine: system, processor, memory, GPUs with drivers, container runtimes, and the versions of engines.',
    )
    .option(
      '--url <url>',
      'engine or router to ask for its version; repeatable',
      (text: string, former: readonly URL[]) => [...former, httpUrl(text)],
      [],
    )
    .option('--json', 'print JSON')
    .action(run);
  return addHelpEnd(
    command,
    'Exit status: 0 done, 2 bad input, 4 a URL does not respond with a version; the rest is printed.',
  );
}

async function run({ url, json }: Flags): Promise<void> {
  const environment = await readEnvironment({ urls: url.map(({ href }) => href) });
  process.stdout.write(
    json ? `${JSON.stringify(environment, null, 2)}\n` : environmentText(environment),
  );
  if (environment.engines.some(({ problem }) => problem !== null)) process.exitCode = 4;
}

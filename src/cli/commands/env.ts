// `spillway env`: what this machine is, for results and bug reports.
import { Command } from 'commander';
import { environmentText, readEnvironment } from '../../tools/environment/index.ts';
import { collect } from '../arguments/lists.ts';

export function envCommand(): Command {
  return new Command('env')
    .description(
      'Describe this machine: system, processor, memory, GPUs with drivers, container runtimes, and the versions of engines.',
    )
    .option('--url <url>', 'engine or router to ask for its version; repeatable', collect, [])
    .option('--json', 'print JSON')
    .action(async ({ url, json }: { readonly url: readonly string[]; readonly json?: boolean }) => {
      const environment = await readEnvironment({ urls: url });
      process.stdout.write(
        json ? `${JSON.stringify(environment, null, 2)}\n` : environmentText(environment),
      );
    });
}

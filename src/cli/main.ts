// The command line: one lazily loaded file per command, so that `spillway --help` stays quick.
import nodeModule from 'node:module';
import { Command, CommanderError } from 'commander';
import { plainText, SpillwayError, version, withoutLogins } from '../core/base/index.ts';
import { watchLifeline } from '../io/lifeline/index.ts';
import { commands } from './commands.ts';
import { wrapHelp } from './help.ts';
import { watchStandardOutput } from './standard-output.ts';

/** Exit status of bad input, as in most Unix tools. */
const badUsage = 2;

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('spillway')
    .description('The vLLM production stack as one program.')
    .version(version)
    // A flag belongs to the command that it follows, even if a subcommand has the same one.
    .enablePositionalOptions();
  throwing(program, 'spillway');
  const wanted = argv.find((word) => !word.startsWith('-'));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    if (name === wanted) {
      const command = await load();
      command.description(command.description() || summary);
      program.addCommand(wrapHelp(throwing(command, `spillway ${name}`)));
    } else {
      program.command(name).description(summary).allowUnknownOption();
    }
  }
  if (wanted === undefined && argv.length === 0) {
    program.outputHelp();
    return;
  }
  await program.parseAsync([...argv], { from: 'user' });
}

/**
 * Makes a command and all below it throw instead of ending the process with statuses of their own, begin their errors
 * as all others begin, and say after them whose help to read.
 *
 * @param line What is typed for this command, for example `spillway bench`.
 */
function throwing(command: Command, line: string): Command {
  for (const subcommand of command.commands) throwing(subcommand, `${line} ${subcommand.name()}`);
  command.showHelpAfterError(`(see ${line} --help)`);
  const { outputError } = command.configureOutput();
  command.configureOutput({
    // It repeats the argument that is wrong.
    outputError: (text, write) =>
      outputError?.(plainText(withoutLogins(text)).replace(/^error: /, 'spillway: '), write),
  });
  return command.exitOverride();
}

// Like bin/spillway.mjs, for programs that start this file directly: hundreds of files are compiled once.
nodeModule.enableCompileCache?.();
watchLifeline();
watchStandardOutput();
try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version exit with 0.
    process.exitCode = error.exitCode === 0 ? 0 : badUsage;
  } else if (error instanceof SpillwayError) {
    process.stderr.write(`spillway: ${plainText(withoutLogins(error.message))}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}

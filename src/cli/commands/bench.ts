// `spillway bench`: sends load to a server and measures the responses.
import { Command } from 'commander';
import { replayCommand } from './bench-replay.ts';
import { serveCommand } from './bench-serve.ts';
import { soakCommand } from './bench-soak.ts';
import { saturateCommand, sweepCommand } from './bench-sweep.ts';

/** The command `bench` with its subcommands. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Send load to an OpenAI-compatible server and measure it.')
    .addCommand(serveCommand())
    .addCommand(sweepCommand())
    .addCommand(saturateCommand())
    .addCommand(soakCommand())
    .addCommand(replayCommand());
}

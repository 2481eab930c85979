import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { commands } from './commands.ts';
import { wrapHelp } from './help.ts';

/** A command and all below it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** What --help prints, with what is added after it. */
function helpOf(command: Command): string {
  let printed = '';
  command.configureOutput({ writeOut: (text) => (printed += text) });
  command.outputHelp();
  return printed;
}

for (const [name, { load }] of Object.entries(commands)) {
  for (const columns of [60, 80, 120]) {
    test(`the help of ${name} fits ${columns} columns`, async () => {
      for (const command of withSubcommands(wrapHelp(await load(), columns))) {
        const help = helpOf(command);
        const wide = help
          .split('\n')
          // Only a word that fits no line may be longer.
          .filter((line) => line.length > columns && /\S\s+\S/.test(line.trim()));
        assert.deepEqual(wide, [], command.name());
      }
    });
  }
}

for (const [name, { load }] of Object.entries(commands)) {
  test(`the help of ${name} has defaults as they are typed, with their units`, async () => {
    for (const command of withSubcommands(wrapHelp(await load(), 1000))) {
      const help = helpOf(command);
      assert.doesNotMatch(help, /default: (\[(?!"\*"\])|"|null|true|false|\))/, command.name());
      for (const line of help.split('\n').filter((text) => text.includes('<duration>'))) {
        assert.doesNotMatch(line, /default: [\d.]+\)/, command.name());
      }
    }
  });

  test(`the help of ${name} begins with a sentence`, async () => {
    for (const command of withSubcommands(await load())) {
      assert.match(command.description(), /^[A-Z].*\.$/s, command.name());
    }
  });
}

test('commands with many flags group them', async () => {
  for (const [name, groups] of [
    ['router', ['Listening:', 'Engines:', 'Routing:', 'Access:', 'Limits:', 'Timeouts:', 'Log:']],
    ['engine', ['Server and API:', 'Scheduler:', 'KV cache:', 'LoRA adapters:', 'Log:']],
    ['plan', ['Input:', 'Output:', 'Workload:', 'Fleet:', 'Operations:', 'Objectives:']],
    ['simulate', ['Traffic:', 'Fleet, with --engines:', 'Stack, with -f:', 'Output:']],
    ['deploy', ['Stack:', 'Deployment:', 'Afterwards:', 'Cluster:', 'Output:']],
    ['up', ['Values:', 'Changes to the values:', 'Output:']],
    ['bench replay', ['Traffic:', 'Server:', 'Measurement:', 'Output:']],
  ] as const) {
    const [first = '', second] = name.split(' ');
    const top = wrapHelp(await (commands[first] as (typeof commands)[string]).load(), 80);
    const command = second ? (top.commands.find((one) => one.name() === second) as Command) : top;
    const help = helpOf(command);
    for (const group of groups) assert.ok(help.includes(`\n${group}\n`), `${name}: ${group}`);
    // What is left belongs to no group.
    const [, ungrouped = ''] = help.split('\nOptions:\n');
    const flags = ungrouped.split('\n\n')[0]?.match(/^ {2}-.*/gm) ?? [];
    assert.ok(
      flags.every((flag) => /^ {2}(-h, --help|--version) /.test(flag)),
      `${name}: ${flags.join()}`,
    );
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { refuseArguments } from './no-arguments.ts';

/** `tool run`, which takes no arguments, with a subcommand that takes one. */
function tool(): Command {
  const run = new Command('run').hook('preAction', refuseArguments).allowExcessArguments();
  run.action(() => {}).addCommand(new Command('one').argument('<x>').action(() => {}));
  return new Command('tool').addCommand(run);
}

test('an argument is refused with the flag that it needs, or with the help', async () => {
  const cases = [
    [['run', 'my.yaml'], 'run takes no file argument: use -f my.yaml.'],
    [['run', 'a.json', 'b.json'], 'run takes no file argument: use -f a.json.'],
    [['run', '4'], 'run takes flags only, not "4"; see tool run --help.'],
  ] as const;
  for (const [words, message] of cases) {
    await assert.rejects(tool().parseAsync(words, { from: 'user' }), { message });
  }
});

test('no argument passes, and so do those of a subcommand', async () => {
  await tool().parseAsync(['run'], { from: 'user' });
  await tool().parseAsync(['run', 'one', 'x.yaml'], { from: 'user' });
});

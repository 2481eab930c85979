import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upstreamRouterFlags } from '../../core/upstream/index.ts';
import { routerCommand } from '../commands/router.ts';
import type { UpstreamCommand } from './upstream-arguments.ts';

/** The settings and notes of a command line, without running it. */
function parsed(...args: string[]) {
  const command = routerCommand() as UpstreamCommand;
  command.exitOverride().configureOutput({ writeErr: () => {} });
  const { operands, unknown } = command.parseOptions(args);
  return { flags: command.opts(), notes: [...command.notes.values()], operands, unknown };
}

test('the router has each flag of upstream’s, with a value if it has one there', () => {
  const options = routerCommand().options;
  for (const { name, hasValue } of upstreamRouterFlags) {
    if (name === 'help') continue;
    const option = options.find(({ long }) => long === `--${name}`);
    assert.ok(option, `--${name} is not a flag`);
    assert.equal(option.required, hasValue, `--${name}`);
  }
});

test('the command lines of upstream’s README and tutorials are read', () => {
  const { flags, notes, operands, unknown } = parsed(
    ...['--port', '8000', '--service-discovery', 'static'],
    ...['--static-backends', 'http://localhost:9001,http://localhost:9002'],
    ...['--static-models', 'facebook/opt-125m,meta-llama/Llama-3.1-8B-Instruct'],
    ...['--static-aliases', 'gpt4:meta-llama/Llama-3.1-8B-Instruct'],
    ...['--static-model-types', 'chat,chat', '--static-backend-health-checks'],
    ...['--engine-stats-interval', '10', '--log-stats', '--routing-logic', 'roundrobin'],
    ...['--feature-gates=SemanticCache=true', '--semantic-cache-model', 'all-MiniLM-L6-v2'],
  );
  assert.deepEqual([operands, unknown], [[], []]);
  assert.deepEqual([flags['logStats'], flags['logStatsInterval']], [true, 10]);
  assert.deepEqual(
    notes.map(({ level, text }) => `${level} ${text.split(' ')[0]}`),
    [
      'info --static-model-types',
      'info --static-backend-health-checks',
      'warning --feature-gates',
      'info --semantic-cache-model',
    ],
  );
});

test('a flag is read abbreviated, as by argparse, with underscores, and after an equals sign', () => {
  const { flags, notes, unknown } = parsed(
    ...['--session=x-user', '--static-al', 'a:b', '--static_models', 'm', '--enable-b'],
    ...['--static_backends=http://a', '--max-inst', '0'],
  );
  assert.deepEqual(unknown, []);
  assert.equal(flags['sessionKey'], 'x-user');
  assert.deepEqual(flags['staticAliases'], ['a:b']);
  assert.deepEqual(flags['staticModels'], ['m']);
  assert.deepEqual(flags['staticBackends'], ['http://a']);
  assert.equal(flags['maxInstanceFailoverRerouteAttempts'], 0);
  assert.equal(notes.length, 1);
});

test('an abbreviation of several flags, or of none, is no flag', () => {
  for (const word of ['--static-back', '--nothing', '--', '-x']) {
    assert.deepEqual(parsed(word, 'v').flags['staticBackends'], undefined, word);
  }
  assert.deepEqual(parsed('--static-back').unknown, ['--static-back']);
});

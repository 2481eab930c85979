import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { applyConfigFile } from './config-file.ts';
import { portOrAny } from './numbers.ts';
import { byteSize } from './quantities.ts';

/** The options of a command with a file and an argument list. */
function options(t: TestContext, file: string, args: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.yaml');
  writeFileSync(path, file);
  const command = new Command()
    .option('--config <file>')
    .option('--http-port <port>', '', portOrAny, 1)
    .option('--memory <size>', '', byteSize());
  command.parse(args, { from: 'user' });
  applyConfigFile(command, path);
  return command.opts();
}

test('a file sets what the command line does not, and is read as the command line is', (t) => {
  assert.deepEqual(options(t, 'memory: 2MiB\nhttp-port: 9\n'), { memory: 2 << 20, httpPort: 9 });
  assert.deepEqual(options(t, 'http-port: 9\n', ['--http-port', '7']), { httpPort: 7 });
});

test('what is wrong in a file is said with its path, its name and what is allowed', (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['memori: 1GiB\n', /a\.yaml: there is no option "memori"; did you mean "memory"\?$/],
    ['x: 1\n', /there is no option "x"; known: http-port, memory$/],
    ['config: b.yaml\n', /there is no option "config"/],
    ['memory: lots\n', /a\.yaml: "memory" is "lots"\. It must be a number of bytes/],
    ['http-port: 70000\n', /"http-port" is "70000"\. It must be a whole number from 0 to 65535/],
    ['memory: [1]\n', /"memory" must be a text or a number\.$/],
    ['- memory\n', /must have one option in each line/],
    ['a: [\n', /cannot be read: /],
  ];
  for (const [file, message] of cases) {
    assert.throws(
      () => options(t, file),
      (error: Error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, message);
        return true;
      },
    );
  }
  assert.throws(() => applyConfigFile(new Command(), '/nowhere.yaml'), /cannot be read: ENOENT/);
});

// Names and paths of adapters that lead out of their folder are refused, whatever else they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { locateAdapter } from './adapter-source.ts';
import { sourceFault } from './source-fault.ts';

const local = (adapterName: string, adapterPath = '/lora/sql') =>
  ({ type: 'local', adapterName, adapterPath }) as const;
const hub = (repository: string, adapterPath?: string) =>
  ({
    type: 'huggingface',
    adapterName: 'sql',
    repository,
    ...(adapterPath && { adapterPath }),
  }) as const;

for (const [source, field, why] of [
  [local('..'), 'adapterName', /"\.\."/],
  [local('../sql'), 'adapterName', /"\.\."/],
  [local('/etc'), 'adapterName', /begins with \//],
  [local('a\0b'), 'adapterName', /control character/],
  [local('a\u0085b'), 'adapterName', /control character/],
  [local('sql', '/lora/ '), 'adapterPath', /ends with a space/],
  [local(' sql'), 'adapterName', /begins or ends with a space/],
  [local('a\ud800'), 'adapterName', /half of a surrogate pair/],
  [local('a\\..\\b'), 'adapterName', /backslash/],
  [local('~root'), 'adapterName', /begins with ~/],
  [local('-x'), 'adapterName', /begins with -/],
  [local('sql', '/lora/../etc'), 'adapterPath', /"\.\."/],
  [local('sql', '/lora/./sql'), 'adapterPath', /"\."/],
  [local('sql', '/lora//sql'), 'adapterPath', /empty folder/],
  [local('sql', `/${'a'.repeat(5_000)}`), 'adapterPath', /more than 4096 characters/],
  [hub('/etc/passwd'), 'repository', /begins with \//],
  [hub('../../etc'), 'repository', /"\.\."/],
  [hub('file:///etc/passwd'), 'repository', /empty folder/],
  [hub('s3://bucket/../other'), 'repository', /"\.\."/],
  [hub('org/sql', '/data/lora/../../etc'), 'adapterPath', /"\.\."/],
] as const) {
  test(`${JSON.stringify(source).slice(0, 80)} is refused by its ${field}`, () => {
    const fault = sourceFault(source) ?? '';
    assert.ok(fault.startsWith(`spec.adapterSource.${field} `), fault);
    assert.match(fault, why);
  });
}

test('what upstream’s samples and guides write is accepted', () => {
  for (const source of [
    local('sql'),
    local('org/sql-v1.2_x', '/data/lora-adapters/sql/'),
    local('llama3-nemoguard-adapter', '/data/..hidden/a..b'),
    hub('nvidia/llama-3.1-nemoguard-8b-topic-control'),
    { type: 's3', adapterName: 'sql', repository: 's3://bucket/sql' },
    { type: 'http', adapterName: 'sql', repository: 'https://host:8443/a/sql.tar' },
  ] as const) {
    assert.equal(sourceFault(source), undefined, JSON.stringify(source));
  }
});

test('no name or path that is accepted leaves the folder of the sidecar', () => {
  const parts = fc.constantFrom('..', '.', '/', 'a', '\\', '\0', '~', '-', '%2e%2e', ' ', '\n');
  const text = fc.array(parts, { minLength: 1, maxLength: 8 }).map((all) => all.join(''));
  const sidecar = { url: 'http://a:1', folder: '/data/lora' };
  fc.assert(
    fc.property(text, text, text, (adapterName, repository, path) => {
      const source = {
        type: 's3',
        adapterName,
        repository,
        adapterPath: `/data/lora/${path}`,
      } as const;
      if (sourceFault(source) !== undefined) return;
      const found = locateAdapter(source, { sidecar });
      assert.ok(typeof found === 'object');
      const { pathname } = new URL(`file://${found.path.replaceAll('%', '%25')}`);
      assert.ok(pathname.startsWith('/data/lora/') && pathname.length > '/data/lora/'.length);
    }),
    { numRuns: 2_000 },
  );
});

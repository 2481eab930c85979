import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutSecrets } from './run-dir.ts';

test('arguments are kept, keys are not', () => {
  assert.deepEqual(
    withoutSecrets([
      ...['bench', 'serve', '--url', 'http://h:1', '--api-key', 'sk-1', '--api-key=sk-2'],
      ...[
        '--api-key-env',
        'MY_KEY',
        '--header',
        'Authorization=Bearer sk-3',
        '--header=x-api-key=sk-4',
      ],
      ...['--header', 'x-user-id=7', '--label', 'a=b'],
    ]),
    [
      ...['bench', 'serve', '--url', 'http://h:1', '--api-key', '***', '--api-key=***'],
      ...['--api-key-env', 'MY_KEY', '--header', 'Authorization=***', '--header=x-api-key=***'],
      ...['--header', 'x-user-id=7', '--label', 'a=b'],
    ],
  );
});

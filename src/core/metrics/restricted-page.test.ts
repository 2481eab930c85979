import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restrictedPage } from './restricted-page.ts';

const page = `# HELP a_total A.
# TYPE a_total counter
a_total{x="1"} 1.0
a_total{x="2"} 2.0
# HELP empty Nothing yet.
# TYPE empty gauge
# HELP wait W.
# TYPE wait histogram
wait_bucket{le="1.0"} 2.0
wait_bucket{le="+Inf"} 2.0
wait_count 2.0
wait_sum 1.5
# HELP b B.
# TYPE b gauge
b 3.0
`;

test('samples of other names are left out, and heads without a sample', () => {
  assert.equal(
    restrictedPage(page, new Set(['a_total', 'wait_count', 'none', 'empty'])),
    `# HELP a_total A.
# TYPE a_total counter
a_total{x="1"} 1.0
a_total{x="2"} 2.0
# HELP wait W.
# TYPE wait histogram
wait_count 2.0
`,
  );
});

test('a name is compared as a whole', () => {
  assert.equal(restrictedPage(page, new Set(['a', 'wait', 'b_'])), '');
});

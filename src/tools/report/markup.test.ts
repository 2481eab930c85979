import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { htmlPage, inlineCode, markup } from './index.ts';

test('text between the literal parts is escaped, for content and for attributes', () => {
  const name = `<script>"a" & 'b'</script>`;
  assert.equal(
    markup`<p title="${name}">${name}</p>`.toString(),
    '<p title="&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;">&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;</p>',
  );
});

test('markup is not escaped again, lists are joined, nothing leaves nothing', () => {
  const cells = ['<', 2].map((cell) => markup`<td>${cell}</td>`);
  assert.equal(
    markup`<tr>${cells}${undefined}${false}</tr>`.toString(),
    '<tr><td>&lt;</td><td>2</td></tr>',
  );
});

test('what looks like markup and is not is text', () => {
  const forged = { toString: () => '<b>' } as unknown as string;
  assert.equal(markup`${forged}`.toString(), '&lt;b&gt;');
});

test('any text comes back from the page as it was, and opens no tag', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const source = markup`${text}`.toString();
      assert.doesNotMatch(source, /[<>"']/);
      const back = source
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&#39;', "'")
        .replaceAll('&amp;', '&');
      assert.equal(back, text);
    }),
  );
});

test('control characters, which XML does not know, are replaced', () => {
  assert.equal(markup`a${'\u0000\u001b\n'}b`.toString(), 'a\ufffd\ufffd\nb');
});

test('backticks are code, and a single one is itself', () => {
  assert.equal(inlineCode('run `a <b>` now').toString(), 'run <code>a &lt;b&gt;</code> now');
  assert.equal(inlineCode('a ` b').toString(), 'a ` b');
  assert.equal(inlineCode('`x` and `').toString(), '<code>x</code> and `');
});

test('a page escapes its title, knows dark and light, and loads nothing', () => {
  const page = htmlPage({ title: '</title><script>', body: markup`<p>text</p>`, printZoom: 0.8 });
  assert.match(page, /^<!doctype html>/);
  assert.match(page, /<title>&lt;\/title&gt;&lt;script&gt;<\/title>/);
  assert.match(page, /@media screen and \(prefers-color-scheme:dark\)/);
  assert.match(page, /zoom:0\.800/);
  assert.doesNotMatch(page, /<script|<link|url\(|https?:/);
});

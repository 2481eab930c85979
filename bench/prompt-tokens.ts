// Measures the CPU time of a prompt's tokens: from the body of a request, warm and new, beside Hugging Face's own
// tokenizer in JavaScript on the rendered text.
//
//   node bench/prompt-tokens.ts [--repeats 9]
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer as Peer } from '@huggingface/tokenizers';
import { PromptTokenizer } from '../src/core/prompts/index.ts';
import { percentile } from '../src/core/stats/index.ts';
import {
  defaultTokenizerName,
  loadTokenizer,
  TokenizerThread,
} from '../src/io/tokenizers/index.ts';

const { values: flags } = parseArgs({ options: { repeats: { type: 'string', default: '9' } } });
const require = createRequire(import.meta.url);
const tokenizer = await loadTokenizer();
const peer = new Peer(
  require(`${defaultTokenizerName}/models/tokenizer.json`),
  require(`${defaultTokenizerName}/models/tokenizer_config.json`),
);
const prompts = new PromptTokenizer(tokenizer);

type Message = Readonly<Record<'role' | 'content', string>>;

/** The docs of this project as text that does not repeat. */
const corpus = globSync('docs/**/*.md', { cwd: join(import.meta.dirname, '..') })
  .map((file) => readFileSync(join(import.meta.dirname, '..', file), 'utf8'))
  .join('\n');
let at = 0;
function text(length: number): string {
  if (at + length > corpus.length) at = (at + 7) % 1000;
  at += length;
  return corpus.slice(at - length, at);
}

const question = (i: number): Message => ({
  role: 'user',
  content: `question ${i}: where does the water of this river go in spring, and why?`,
});
const system = { role: 'system', content: text(1900) };
const turns = (count: number, length: number): Message[] =>
  Array.from({ length: count }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: text(length),
  }));
const long = turns(32, 2048);
const chatty = turns(200, 320);

/** Bodies that were never seen, each with the parts that were. */
const loads: readonly (readonly [string, (i: number) => readonly Message[], number])[] = [
  ['2 KB: known system prompt, new question', (i) => [system, question(i)], 500],
  ['2 KB: all new', (i) => [{ role: 'user', content: `${i} ${text(2000)}` }], 200],
  ['64 KB in 32 messages, one more turn', (i) => [...long, question(i)], 60],
  ['64 KB in 200 messages, one more turn', (i) => [...chatty, question(i)], 40],
];

let drawn = 0;
console.log(`Load average ${loadavg().map((x) => x.toFixed(1))}, ${flags.repeats} repeats\n`);
console.log('| body | tokens | ours: body to tokens, µs of CPU | peer: rendered text to tokens |');
console.log('|---|--:|--:|--:|');
for (const [name, messagesOf, count] of loads) {
  const ours: number[] = [];
  const theirs: number[] = [];
  let tokens = 0;
  for (let repeat = -1; repeat < Number(flags.repeats); repeat++) {
    const chats = Array.from({ length: count }, () => messagesOf(drawn++));
    const bodies = chats.map((messages) => JSON.stringify({ model: 'm', messages }));
    const texts = chats.map((messages) => tokenizer.applyChatTemplate(messages));
    const few = texts.slice(0, Math.ceil(count / 20));
    const own = cpuMicros(() => {
      for (const body of bodies) {
        const result = prompts.tokenize('chat', JSON.parse(body));
        if (typeof result === 'string') throw new Error(result);
        tokens = result.tokens.length;
      }
    });
    const other = cpuMicros(() => {
      for (const one of few) peer.encode(one, { add_special_tokens: false });
    });
    // The first is not counted: it compiles the code and encodes the known parts.
    if (repeat < 0) continue;
    ours.push(own / count);
    theirs.push(other / few.length);
  }
  console.log(`| ${name} | ${tokens} | ${spread(ours)} | ${spread(theirs)} |`);
}

const thread = new TokenizerThread({ timeoutMs: 60_000 });
const { definition } = await thread.find({
  ...{ source: defaultTokenizerName, root: undefined, engine: undefined },
});
thread.use('m', definition);
const waits: number[] = [];
for (let i = 0; i < 300; i++) {
  const body = Buffer.from(JSON.stringify({ model: 'm', messages: [...long, question(drawn++)] }));
  const startMs = performance.now();
  await thread.tokenize('m', 'chat', body);
  if (i >= 100) waits.push((performance.now() - startMs) * 1000);
}
thread.close();
console.log(`\nThe third, through the other thread: ${spread(waits)} µs of wall time`);

/** User and system time. */
function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system: kernel } = process.cpuUsage(before);
  return user + kernel;
}

/** Median and range. */
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, middle, high] = [0, 50, 100].map((p) => percentile(sorted, p));
  const digits = (x = 0) => x.toFixed(x < 100 ? 1 : 0);
  return `${digits(middle)} (${digits(low)}–${digits(high)})`;
}

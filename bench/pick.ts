// Measures one pick, by policy, prompt size and fleet size: µs of CPU time, including the hashing
// of the prompt.
//
//   node bench/pick.ts [--json] [policy…]
import { cpus } from 'node:os';
import { ManualClock, seededRandom } from '../src/core/base/index.ts';
import {
  createPolicy,
  policyNames,
  RoutingCore,
  type RoutingRequest,
} from '../src/core/routing/index.ts';

const promptKilobytes = [2, 64, 220];
const fleetSizes = [4, 100, 1_000];
/** Number of conversations; each engine has served its share of them, and each pick continues one. */
const conversations = 64;
/** Every conversation starts with the same system prompt of this many bytes. */
const sharedBytes = 1024;
const measureSeconds = 0.4;

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const json = process.argv.includes('--json');

interface Row {
  readonly policy: string;
  readonly promptKilobytes: number;
  readonly engines: number;
  /** Median of 5 windows. */
  readonly pickMicroseconds: number;
}

const rows: Row[] = [];
for (const policy of names.length > 0 ? names : policyNames) {
  for (const kilobytes of promptKilobytes) {
    for (const engines of fleetSizes) rows.push(measure(policy, kilobytes, engines));
  }
}

if (json) console.log(JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, rows }));
else {
  console.log(`Node ${process.version}, ${cpus()[0]?.model}`);
  console.log(
    '| policy | ' +
      promptKilobytes.flatMap((kb) => fleetSizes.map((n) => `${kb} KB × ${n}`)).join(' | ') +
      ' |',
  );
  console.log(`|---|${'--:|'.repeat(promptKilobytes.length * fleetSizes.length)}`);
  for (const policy of new Set(rows.map((row) => row.policy))) {
    const cells = rows
      .filter((row) => row.policy === policy)
      .map((row) => row.pickMicroseconds.toFixed(1));
    console.log(`| ${policy} | ${cells.join(' | ')} |`);
  }
}

function measure(policyName: string, kilobytes: number, engines: number): Row {
  const clock = new ManualClock();
  const policy = createPolicy(policyName, { random: seededRandom(1) });
  const core = new RoutingCore({ policy, clock });
  for (let i = 0; i < engines; i++) core.addEndpoint({ url: `http://10.0.0.${i}`, models: ['m'] });
  const requests = Array.from({ length: conversations }, (_, i) => request(i, kilobytes * 1024));
  // Warm-up: every engine has some of the conversations, and its speed is known.
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < Math.max(conversations, engines * 4); i++) {
      const ticket = core.route(requests[i % conversations] as RoutingRequest);
      ticket.sent();
      clock.advance(0.2);
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
    }
  }
  const windows = Array.from({ length: 5 }, () => {
    const until = process.cpuUsage().user + (measureSeconds / 5) * 1e6;
    let picks = 0;
    const before = process.cpuUsage();
    while (process.cpuUsage().user < until) {
      for (let i = 0; i < conversations; i++) core.route(requests[i] as RoutingRequest);
      picks += conversations;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / picks;
  });
  const pickMicroseconds = windows.sort((a, b) => a - b)[2] as number;
  return { policy: policyName, promptKilobytes: kilobytes, engines, pickMicroseconds };
}

function request(conversation: number, bytes: number): RoutingRequest {
  const prompt = new Uint8Array(bytes);
  const random = seededRandom(conversation);
  for (let i = 0; i < bytes; i++) prompt[i] = i < sharedBytes ? i & 127 : 32 + random.next() * 90;
  return {
    id: String(conversation),
    model: 'm',
    session: `session-${conversation}`,
    prompt: [prompt.subarray(0, 100), prompt.subarray(100)],
    promptTokens: Math.ceil(bytes / 4),
    tokens: undefined,
    outputTokensMax: 300,
    stream: true,
  };
}

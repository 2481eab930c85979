// A history of picks, failures, reports and updates from peer routers, and the invariants of each pick.
import assert from 'node:assert/strict';
import { routingRequest } from '../../../test/support/routing.ts';
import type { ManualClock } from '../base/index.ts';
import type { RoutingCore, Ticket } from './index.ts';

type Kind =
  | 'route'
  | 'retry'
  | 'remove'
  | 'add'
  | 'restart'
  | 'kill'
  | 'revive'
  | 'report'
  | 'heardSent'
  | 'heardFirstByte'
  | 'heardFinished'
  | 'forget';

/** What happens, the number of the engine, and a number whose meaning depends on what happens. */
export type HistoryEvent = readonly [kind: Kind, engine: number, number: number];

/** Replays it, checks each pick, and ends with load counts of an idle fleet. */
export function playHistory(options: {
  readonly core: RoutingCore;
  readonly clock: ManualClock;
  readonly history: readonly HistoryEvent[];
}): void {
  const { core, clock, history } = options;
  const open: Ticket[] = [];
  for (const [kind, engine, number] of history) {
    clock.advance(number / 1000);
    const url = `http://e${engine}`;
    if (kind === 'route' || kind === 'retry') {
      const exclude = kind === 'retry' ? new Set([url]) : undefined;
      const ticket = checkedPick(core, number, exclude);
      if (ticket === undefined) continue;
      ticket.sent();
      open.push(ticket);
      if (engine < 3) open[0]?.firstByte();
      if (engine < 2) {
        const cachedTokens = number % 2 === 0 ? number : undefined;
        open.shift()?.finish({ status: engine === 0 ? 'failed' : 'completed', cachedTokens });
      }
    } else change(core, clock, [kind, engine, number]);
  }
  for (const ticket of open) ticket.finish({ status: 'cancelled' });
  core.forget('other');
  for (const { load } of core.endpoints()) {
    assert.deepEqual(load, { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 });
  }
}

/** @returns Undefined if no engine can be picked. */
function checkedPick(
  core: RoutingCore,
  number: number,
  exclude: ReadonlySet<string> | undefined,
): Ticket | undefined {
  const live = core.endpoints().filter(({ state }) => state === 'live');
  const allowed = live.map(({ url }) => url).filter((url) => !exclude?.has(url));
  if (allowed.length === 0) return undefined;
  const request = requestNumber(number);
  const ticket = core.route(request, exclude);
  const { endpoint, reason, cachedTokens, scores } = ticket.pick;
  assert.ok(allowed.includes(endpoint.url));
  assert.ok(reason.length > 0);
  assert.ok(cachedTokens >= 0 && cachedTokens <= request.promptTokens);
  if (scores) {
    // A retry leaves out engines that have just failed.
    const candidates = core.recentPicks().at(-1)?.candidates ?? [];
    assert.ok(candidates.every((url) => allowed.includes(url)));
    assert.equal(scores.length, candidates.length);
    assert.ok(scores.every(Number.isFinite));
  }
  return ticket;
}

/** Applies a change to an engine, or an update from a peer router. */
function change(core: RoutingCore, clock: ManualClock, [kind, engine, number]: HistoryEvent): void {
  const url = `http://e${engine}`;
  if (kind === 'remove') core.removeEndpoint(url);
  else if (kind === 'add') core.addEndpoint({ url, models: ['m'] });
  else if (kind === 'restart') core.endpointRestarted(url);
  else if (kind === 'kill') core.setState(url, 'dead', 'test');
  else if (kind === 'revive') core.setState(url, 'live', 'test');
  else if (kind === 'report') {
    const load = { running: engine, waiting: engine, kvUsage: number / 400 };
    const size = { blocksTotal: number + 1, blockTokens: 16 };
    core.setReported(url, { atSeconds: clock.nowSeconds(), ...load, ...size });
  } else if (kind === 'heardSent') {
    const about = { url, promptTokens: number, cachedTokens: number >> 2, blocks: undefined };
    core.receive('other', { kind: 'sent', attempt: number, ...about, stream: number % 2 === 0 });
  } else if (kind === 'heardFirstByte') {
    core.receive('other', { kind: 'firstByte', attempt: number }, engine / 1000);
  } else if (kind === 'heardFinished') {
    core.receive('other', { kind: 'finished', attempt: number, status: 'completed' });
  } else if (kind === 'forget') core.forget('other');
}

const systemPrompt = 'You are a helpful assistant. '.repeat(100);

/** Request number i of a fixed mixture: shared system prompt, 20 sessions, some without a prompt. */
export function requestNumber(i: number) {
  const session = i % 3 === 0 ? undefined : `s${i % 20}`;
  const prompt = i % 7 === 0 ? '' : `${systemPrompt} session ${i % 20} turn ${i >> 3} ${i}`;
  return routingRequest(prompt, { id: `${i}`, session, stream: i % 5 !== 0 });
}

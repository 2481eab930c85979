// What a router holds for its clients, as one budget: who may take from it, and who gives way first.
import { MemoryBudget } from '../../core/memory/index.ts';
import type { Counter, MetricsRegistry } from '../../core/metrics/index.ts';
import type { StreamShares } from '../../core/migration/index.ts';
import type { ServerMemory } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { memoryThere } from '../../io/process-metrics/index.ts';

/** How full the memory may be for a use to take more. What has the smallest part gives way first. */
const parts = {
  /** Streams are not remembered any more: they end with their engine. */
  transcripts: 1 / 2,
  /** Events are passed on before they are whole: their streams end with their engine. */
  events: 5 / 8,
  /** Clients that are behind are disconnected, then bodies are refused. */
  requests: 7 / 8,
  responses: 1,
} as const;

/** What a router needs besides: itself, its connections and a KV index of common size. */
const baseBytes = 192 * 1_048_576;
/** Part of the rest that it holds for clients; buffers that await the garbage collector need the other half. */
const heldPart = 1 / 2;
/**
 * Part of the budget, and bytes, that events above 32 KiB and unread responses may hold together for more of such an event to be held: an
 * event goes on to a client that may not read it, and the memory is then held for minutes. Eight prompts of 100,000 tokens, whose ids take 1 MB, fit in.
 */
const largeEvents = { part: 1 / 16, bytesMax: 8 * 1_048_576 } as const;
const leastBytes = 32 * 1_048_576;
/** More is useful only to those who ask for it. */
const mostBytes = 2 * 1024 * 1_048_576;
/** Interval of the log line about clients that were disconnected. */
const logIntervalSeconds = 60;

/** @returns The budget in a container, or on a machine, with so much memory. */
export function memoryBudgetFor(limitBytes: number): number {
  const bytes = Math.floor((limitBytes - baseBytes) * heldPart);
  return Math.min(Math.max(bytes, leastBytes), mostBytes);
}

export interface ClientMemory {
  readonly streams: StreamShares;
  readonly server: ServerMemory;
}

/** @param bytesMax `--memory-budget`. @default from the memory of the container or machine */
export function clientMemory(
  bytesMax: number | undefined,
  parents: { readonly registry: MetricsRegistry; readonly log: Logger; nowSeconds(): number },
): ClientMemory {
  const { registry } = parents;
  const budget = new MemoryBudget(bytesMax ?? memoryBudgetFor(memoryThere()));
  const shares = {
    transcripts: budget.share(parts.transcripts),
    events: budget.share(parts.events),
    requests: budget.share(parts.requests),
    responses: budget.share(parts.responses),
  };
  const { transcripts, events, requests, responses } = shares;
  const bound = registry.gauge({
    name: 'spillway_router_memory_budget_bytes',
    help: 'Memory that the router may hold for clients.',
  });
  bound.with().set(budget.bytesMax);
  const held = registry.gauge({
    name: 'spillway_router_memory_held_bytes',
    help: 'Memory that the router holds for clients.',
    labels: ['use'],
  });
  registry.onRender(() => {
    for (const [use, { bytes }] of Object.entries(shares)) held.with({ use }).set(bytes);
  });
  const dropped = registry
    .counter({
      name: 'spillway_router_dropped_clients',
      help: 'Clients that were disconnected because they were behind while memory was full.',
    })
    .with();
  const onDropped = droppedLog(parents, budget, dropped);
  const largeMax = Math.min(budget.bytesMax * largeEvents.part, largeEvents.bytesMax);
  const hasRoomForLarge = (bytes: number) => events.bytes + responses.bytes + bytes <= largeMax;
  return {
    streams: { transcripts, events, hasRoomForLarge },
    server: { budget, requests, responses, onDropped },
  };
}

/** Counts clients that were disconnected, and logs them once per interval. */
function droppedLog(
  { log, nowSeconds }: { readonly log: Logger; nowSeconds(): number },
  { bytesMax }: MemoryBudget,
  counter: Counter,
): (clients: number) => void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (clients) => {
    counter.inc(clients);
    unlogged += clients;
    if (nowSeconds() - loggedAt < logIntervalSeconds) return;
    const mib = Math.floor(bytesMax / 1_048_576);
    log.warning(
      `The memory for clients (--memory-budget, ${mib} MiB) is full: ${unlogged} that did not read their responses were disconnected.`,
    );
    loggedAt = nowSeconds();
    unlogged = 0;
  };
}

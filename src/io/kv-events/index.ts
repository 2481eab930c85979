// KV events on the wire: what an engine publishes, and how the router follows it.

export { KvIndexFeed, type KvIndexFeedOptions, type KvIndexFeedState } from './feed.ts';
export { type KvEventDelivery, KvEventPublisher } from './publisher.ts';
export { KvEventSource, type KvEventSourceOptions, type KvEventSourceState } from './source.ts';

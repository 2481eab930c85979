// KV events on the wire: an engine publishes them, and the router follows them.

export { KvIndexFeed, type KvIndexFeedOptions, type KvIndexFeedState } from './feed.ts';
export { type KvEventDelivery, KvEventPublisher } from './publisher.ts';
export { KvEventSource, type KvEventSourceOptions, type KvEventSourceState } from './source.ts';

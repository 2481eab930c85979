// Finds engines: sources of endpoints behind one contract.
export { changesBetween } from './changes.ts';
export { discoveries } from './discoveries.ts';
export { addressOf, namedByModel } from './endpoint-name.ts';
export type { DiscoveredEndpoint, EndpointChange, EndpointSource } from './endpoint-source.ts';
export { normalized, staticList } from './static-list.ts';

// Routing: contracts, the router's exact in-flight accounting, and the policies.
export type { AgedNews, AttemptNews } from './attempt-news.ts';
export type {
  Endpoint,
  EndpointLoad,
  Outcome,
  Pick,
  Policy,
  PromptBlockNames,
  ReportedLoad,
  RoutingRequest,
} from './contract.ts';
export type { EndpointState, EndpointStatus, EndpointTotals } from './endpoint-record.ts';
export { NoEndpointError, UnknownModelError } from './errors.ts';
export {
  createPolicy,
  defaultPolicyName,
  type PolicyOptions,
  policyNames,
} from './policies/index.ts';
export { PredictivePolicy } from './policies/predictive/predictive.ts';
export {
  type EndpointOptions,
  type RecentPick,
  RoutingCore,
  type RoutingCoreOptions,
} from './routing-core.ts';
export type { Ticket } from './ticket.ts';

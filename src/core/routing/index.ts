// Routing: contracts, the router's exact in-flight accounting, and the policies.
export type { AgedUpdate, AttemptUpdate } from './attempt-update.ts';
export {
  addLoads,
  type CacheTier,
  cacheTiers,
  computeSecondsPerTokenDefault,
  kvBytesPerTokenDefault,
  noTiers,
  type TierIndex,
  type TierRun,
  tierRates,
} from './cache-tiers.ts';
export type {
  Endpoint,
  EndpointLoad,
  EngineRole,
  Outcome,
  Pick,
  Policy,
  PromptBlockNames,
  ReportedLoad,
  RoutingRequest,
} from './contract.ts';
export {
  definePolicy,
  type Need,
  type PolicyConsumes,
  type PolicyDefinition,
  type PolicyOptions,
} from './define-policy.ts';
export type { EndpointState, EndpointStatus, EndpointTotals } from './endpoint-record.ts';
export type { EndpointOptions } from './endpoint-table.ts';
export { defaultSaturationLimits, type SaturationLimits } from './engine-queue.ts';
export { NoEndpointError, UnknownModelError } from './errors.ts';
export { isAliasPattern } from './model-aliases.ts';
export {
  allowedText,
  type DeclaredParameter,
  isAllowed,
  type ParameterValues,
} from './policy-parameter.ts';
export {
  checkPolicyName,
  createPolicy,
  defaultPolicyName,
  findPolicy,
  type PolicyName,
  policies,
  policyNames,
  policyParameters,
  requiresKvEvents,
  unusedParameters,
} from './policy-table.ts';
export type { RecentPick } from './recent-picks.ts';
export { isDisaggregated, type RolePolicies, RolePolicy, rolePolicyNames } from './role-policy.ts';
export { type PeerVerdict, RoutingCore, type RoutingCoreOptions } from './routing-core.ts';
export { slowStartSecondsDefault } from './slow-start.ts';
export type { PickCause, Ticket } from './ticket.ts';

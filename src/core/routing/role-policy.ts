// A policy for fleets in which some engines prefill and others decode: one policy for each role.
import type { Endpoint, EngineRole, Outcome, Pick, Policy, RoutingRequest } from './contract.ts';

/**
 * production-stack's names. With `_orchestrated`, the decode engine is told where the KV of the prompt is; without, the
 * engines have their own way to pass it on, such as a shared store.
 */
export const rolePolicyNames = [
  'disaggregated_prefill',
  'disaggregated_prefill_orchestrated',
] as const;

/** Whether some engines prefill and others decode with this `--routing-logic`. */
export function isDisaggregated(name: string): name is (typeof rolePolicyNames)[number] {
  return (rolePolicyNames as readonly string[]).includes(name);
}

export interface RolePolicies {
  readonly prefill: Policy;
  readonly decode: Policy;
}

/**
 * Each leg of a request is the policy's of its role, from the pick to the end; reports of engines go to the policy of
 * theirs. What has no leg or role is the decode policy's. Requests of peer routers count in the load of engines only.
 */
export class RolePolicy implements Policy {
  readonly name: string;
  readonly #policies: RolePolicies;

  constructor(name: string, policies: RolePolicies) {
    this.name = name;
    this.#policies = policies;
  }

  get needsTokens(): boolean {
    const { prefill, decode } = this.#policies;
    return prefill.needsTokens || decode.needsTokens;
  }

  get readsKvEvents(): boolean {
    const { prefill, decode } = this.#policies;
    return prefill.readsKvEvents === true || decode.readsKvEvents === true;
  }

  pick(request: RoutingRequest, endpoints: readonly Endpoint[], nowSeconds: number): Pick {
    return this.#of(request.leg).pick(request, endpoints, nowSeconds);
  }

  onSent(request: RoutingRequest, pick: Pick, nowSeconds: number): void {
    this.#of(request.leg).onSent?.(request, pick, nowSeconds);
  }

  onFirstByte(request: RoutingRequest, pick: Pick, seconds: number, nowSeconds: number): void {
    this.#of(request.leg).onFirstByte?.(request, pick, seconds, nowSeconds);
  }

  onOutrun(request: RoutingRequest, pick: Pick, seconds: number, nowSeconds: number): void {
    this.#of(request.leg).onOutrun?.(request, pick, seconds, nowSeconds);
  }

  onFinish(request: RoutingRequest, pick: Pick, outcome: Outcome, nowSeconds: number): void {
    this.#of(request.leg).onFinish?.(request, pick, outcome, nowSeconds);
  }

  onReport(endpoint: Endpoint, nowSeconds: number): void {
    this.#of(endpoint.role).onReport?.(endpoint, nowSeconds);
  }

  waitSeconds(endpoint: Endpoint, nowSeconds: number): number | undefined {
    return this.#of(endpoint.role).waitSeconds?.(endpoint, nowSeconds);
  }

  onEndpointReset(endpoint: Endpoint): void {
    this.#of(endpoint.role).onEndpointReset?.(endpoint);
  }

  #of(role: EngineRole | undefined): Policy {
    return role === 'prefill' ? this.#policies.prefill : this.#policies.decode;
  }
}

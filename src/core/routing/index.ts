// Routing: contracts, the router's exact in-flight accounting, and the policies.
export type {
  Endpoint,
  EndpointLoad,
  Outcome,
  Pick,
  Policy,
  ReportedLoad,
  RoutingRequest,
} from './contract.ts';

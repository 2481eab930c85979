// The router's views of itself as JSON: /engines, /debug/router, /debug/picks, /debug/requests,
// /dashboard/events, /dashboard/history and /dashboard/plan. The router responds with these types; `spillway up` and the
// page read them with their parsers.
export {
  currentReport,
  type EngineRatesView,
  type EngineState,
  type EngineTotalsView,
  type EngineView,
  type KvCoverage,
  type KvEventsView,
  type LoadView,
  parseEngineViews,
  type ReportedView,
} from './engine-view.ts';
export {
  type EngineHistoryView,
  type EngineSeriesName,
  engineSeriesNames,
  type FleetSeriesName,
  fleetSeriesNames,
  type HistoryView,
  parseHistoryView,
  type SeriesView,
} from './history-view.ts';
export { JsonShapeError } from './json-shape.ts';
export type {
  LatenciesView,
  ModelLatenciesView,
  QuantilesView,
  RouterLatenciesView,
} from './latencies-view.ts';
export {
  type GateEngineView,
  type GateState,
  type GateView,
  type MeasuredView,
  type PlanFigureName,
  type PlannedFigureView,
  type PlannedView,
  type PlanView,
  parsePlanView,
  planFigureNames,
} from './plan-view.ts';
export {
  type PickView,
  parsePickViews,
  parseRequestViews,
  type RequestOutcome,
  type RequestView,
} from './request-views.ts';
export {
  type PeerState,
  type PeersView,
  type PeerView,
  parseRouterView,
  type QueuePriorityView,
  type QueueView,
  type RouterView,
} from './router-view.ts';

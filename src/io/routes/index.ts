// A table of routes: finds the handler of a request by its path and method.
export { type RouteMatch, type Routes, RouteTable } from './route-table.ts';

// Refuses what a web page could make its visitor's browser do to a server that the page cannot reach itself.
export { type BrowserGuard, browserGuard } from './browser-guard.ts';
export { pageProblem } from './page-problem.ts';

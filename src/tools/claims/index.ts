// What the production stack is advertised with, measured.
export { type ClaimRun, claimedValues, shapes } from './claims.ts';
export { claimRows, claimsText } from './claims-report.ts';
export { measureClaim, simulateClaim } from './run-claims.ts';

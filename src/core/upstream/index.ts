// The flags of production-stack's router, and what becomes of each of them here.
export {
  fullFlagName,
  type UpstreamFlag,
  type UpstreamFlagNote,
  upstreamFlagNote,
  upstreamRouterFlags,
} from './router-flags.ts';

// Routes of vLLM that no router or client of ours calls on an engine. They exist because tools written
// for vLLM may call them.
export { devRoutes } from './administration/dev.ts';
export { elasticScalingRoutes } from './administration/elastic-scaling.ts';
export { profileRoutes } from './administration/profile.ts';
export { invocationsRoute } from './invocations.ts';
export { openapiRoute, redocRoute, swaggerRoute } from './pages/api-pages.ts';
export { oauth2RedirectRoute } from './pages/oauth2-redirect-page.ts';
export { derenderChatRoute, derenderCompletionRoute } from './rendering/derender.ts';
export { renderChatRoute, renderCompletionRoute, renderMessagesRoute } from './rendering/render.ts';
export { renderResponsesRoute } from './rendering/render-responses.ts';
export { generativeScoringRoute } from './scoring/generative-scoring.ts';
export { structuredDecisionsRoute } from './scoring/structured-decisions.ts';
export { tokenizerInfoRoute } from './tokenizer-info.ts';

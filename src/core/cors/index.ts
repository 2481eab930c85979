// Which pages of other origins may use an API from a browser.
export { type Cors, type CorsHeaders, type CorsSettings, createCors } from './cors.ts';

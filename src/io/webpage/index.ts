// The built web page, as files for the router to serve.
export { loadWebpage, type WebpageFile, webpageSecurityPolicy } from './files.ts';

// The built web page, as files for the router to serve.
export { webpageDirectory } from './build.ts';
export { loadWebpage, type WebpageFile, webpageSecurityPolicy } from './files.ts';

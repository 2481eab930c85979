// Opens pages in the user's browser.
export { openInBrowser } from './open-in-browser.ts';

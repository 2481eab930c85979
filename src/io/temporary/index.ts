// Folders and files that a program needs only while it runs.
export { temporaryFile, temporaryFolder } from './temporary.ts';

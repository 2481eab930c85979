// Scripts that root runs on another host, by ssh.
export { type RemoteLogin, RemoteShellError, runScript, type ScriptOptions } from './run-script.ts';

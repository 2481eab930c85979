// The state of the live view: which engine is selected, what is shown of it, and the order of the list.
// Keys change it; nothing here draws or waits.
import type { Key } from './terminal-keys.ts';

export type Panel = 'list' | 'engine' | 'help';
export type Tab = 'log' | 'requests' | 'picks';
export const tabs: readonly Tab[] = ['log', 'requests', 'picks'];

/** Orders of the list; all but the first two put the largest value first. */
export type Sort = 'listed' | 'name' | 'used' | 'running' | 'waiting' | 'hits' | 'ttft' | 'state';
export const sorts: readonly Sort[] = [
  ...(['listed', 'name', 'used', 'running', 'waiting', 'hits', 'ttft', 'state'] as const),
];

export interface LiveView {
  readonly panel: Panel;
  /** The panel behind the help. */
  readonly behind: Exclude<Panel, 'help'>;
  readonly tab: Tab;
  /** Name of an engine; undefined before the first key that moves. */
  readonly selected: string | undefined;
  readonly sort: Sort;
  readonly isReversed: boolean;
  /** Whether lines of all child processes are printed above the view. */
  readonly showsLogs: boolean;
}

export const initialView: LiveView = {
  panel: 'list',
  behind: 'list',
  tab: 'log',
  selected: undefined,
  sort: 'listed',
  isReversed: false,
  showsLogs: false,
};

/** What a key asks of the program, beyond a change of the view. */
export type LiveCommand = 'quit' | 'open-page';

export interface KeyPress {
  readonly view: LiveView;
  readonly command?: LiveCommand;
}

/** Engines that Page Up and Page Down move by. */
const pageLength = 10;

/** The keys of the view with their meaning, in the order in which the help lists them. */
export const keyHelp: readonly (readonly [keys: string, meaning: string])[] = [
  ['↑ ↓, j k', 'select an engine'],
  ['Home End, PgUp PgDn', 'the first, the last; ten up, ten down'],
  ['Enter', 'show the selected engine'],
  ['1 2 3, Tab', 'of an engine: its log, its requests, its picks'],
  ['Esc', 'back'],
  ['s, S', 'next order of the list, previous order; TTFT is the p90 of the last minutes'],
  ['r', 'reverse the order'],
  ['l', 'print the lines of all processes above the view'],
  ['o', 'open the page in the browser'],
  ['?', 'these keys'],
  ['q, Ctrl-C', 'stop the stack'],
];

/** @param names Engines in the order shown. */
export function pressKey(view: LiveView, key: Key, names: readonly string[]): KeyPress {
  switch (key) {
    case 'char:q':
    case 'ctrl-c':
      return { view, command: 'quit' };
    case 'char:o':
      return { view, command: 'open-page' };
    case 'char:l':
      return { view: { ...view, showsLogs: !view.showsLogs } };
    case 'char:?':
      return { view: { ...view, panel: view.panel === 'help' ? view.behind : 'help' } };
    default:
      if (view.panel === 'help') return { view: { ...view, panel: view.behind } };
      return {
        view: view.panel === 'list' ? inList(view, key, names) : inEngine(view, key, names),
      };
  }
}

function inList(view: LiveView, key: Key, names: readonly string[]): LiveView {
  switch (key) {
    case 'enter':
    case 'right': {
      const selected = view.selected ?? names[0];
      if (selected === undefined) return view;
      return { ...view, selected, panel: 'engine', behind: 'engine' };
    }
    case 'char:s':
      return { ...view, sort: next(sorts, view.sort, 1) };
    case 'char:S':
      return { ...view, sort: next(sorts, view.sort, -1) };
    case 'char:r':
      return { ...view, isReversed: !view.isReversed };
    case 'escape':
      return { ...view, selected: undefined };
    default:
      return moved(view, key, names);
  }
}

function inEngine(view: LiveView, key: Key, names: readonly string[]): LiveView {
  switch (key) {
    case 'escape':
    case 'left':
      return { ...view, panel: 'list', behind: 'list' };
    case 'char:1':
    case 'char:2':
    case 'char:3':
      return { ...view, tab: tabs[Number(key.slice('char:'.length)) - 1] as Tab };
    case 'tab':
      return { ...view, tab: next(tabs, view.tab, 1) };
    default:
      return moved(view, key, names);
  }
}

/** Selects another engine. The first key that moves selects the first or the last one. */
function moved(view: LiveView, key: Key, names: readonly string[]): LiveView {
  const at = view.selected === undefined ? -1 : names.indexOf(view.selected);
  const last = names.length - 1;
  const target = targetOf(key, at, last);
  if (target === undefined || last < 0) return view;
  return { ...view, selected: names[Math.min(last, Math.max(0, target))] };
}

function targetOf(key: Key, at: number, last: number): number | undefined {
  switch (key) {
    case 'down':
    case 'char:j':
      return at + 1;
    case 'up':
    case 'char:k':
      return at < 0 ? last : at - 1;
    case 'page-down':
      return at + pageLength;
    case 'page-up':
      return at < 0 ? last : at - pageLength;
    case 'home':
      return 0;
    case 'end':
      return last;
    default:
      return undefined;
  }
}

function next<T>(list: readonly T[], current: T, by: 1 | -1): T {
  return list[(list.indexOf(current) + by + list.length) % list.length] as T;
}

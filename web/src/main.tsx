// Entry of the web page.
import { render } from 'preact';
import './style.css';
import { App } from './app.tsx';
import { applyStoredTheme } from './theme.tsx';

applyStoredTheme();
const page = document.getElementById('page');
if (page) render(<App />, page);

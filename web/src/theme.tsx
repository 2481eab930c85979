// The colour scheme: that of the system, or the one that the user chose on this device.
import { useState } from 'preact/hooks';

type Theme = 'system' | 'light' | 'dark';

const themes: readonly Theme[] = ['system', 'light', 'dark'];
const storageKey = 'spillway-theme';

/** The chosen theme; `system` if there is none, or if the browser stores nothing. */
function storedTheme(): Theme {
  try {
    return themes.find((theme) => theme === localStorage.getItem(storageKey)) ?? 'system';
  } catch {
    return 'system';
  }
}

/** Applies the stored theme before anything is drawn. */
export function applyStoredTheme(): void {
  applyTheme(storedTheme());
}

function applyTheme(theme: Theme): void {
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset['theme'];
  else dataset['theme'] = theme;
}

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const choose = (chosen: Theme): void => {
    applyTheme(chosen);
    setTheme(chosen);
    try {
      localStorage.setItem(storageKey, chosen);
    } catch {
      // A browser that stores nothing keeps the theme until the page is closed.
    }
  };
  return (
    <select
      class="theme"
      aria-label="Theme"
      value={theme}
      onChange={(event) => choose(event.currentTarget.value as Theme)}
    >
      <option value="system">System theme</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}

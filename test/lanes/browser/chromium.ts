// Chromium as the tests of this lane start it.
import { type Browser, chromium } from 'playwright-core';

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    // CI runs as root in a container, where Chromium's own sandbox cannot start.
    args: ['--no-sandbox'],
  });
}

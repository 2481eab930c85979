// Figures as the reports print them.

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export function tokens(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

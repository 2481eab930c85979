// The page: totals, one card per engine, and the recent picks.
export function App() {
  return <h1>Spillway</h1>;
}
